"""Tasks: what waits for each, who runs it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import history_charts, words
from graphile_worker.admin.pages.buttons import Button, allowed
from graphile_worker.admin.pages.cards import job_cards
from graphile_worker.admin.pages.messages import not_there, trouble
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.task_work import numbers_of, works_by_task
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.figures import Figures
from graphile_worker.admin.service.groups import TaskCounts
from graphile_worker.client.operations.history import TaskWork
from graphile_worker.errors import DatabaseError

_MOST = 500
_STATES = (
    ("Ready", "waiting"),
    ("Running", "locked"),
    ("Retrying", "retrying"),
    ("Scheduled", "scheduled"),
    ("Failed", "failed"),
)


async def tasks(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /tasks`; with `name`, the one."""
    if "name" in request.query_params:
        return await task(request, site, viewer)
    v = await site.view(request, viewer)
    try:
        figures = (await site.samples.figures.get()).value
        done = works_by_task((await site.samples.work.get()).value)
        paused = {pause.name for pause in (await site.reading.paused()).tasks}
    except DatabaseError as error:
        return trouble(request, v, error)
    return render(
        request,
        "tasks.html",
        v,
        title="Tasks",
        section="tasks",
        tasks=[
            _row(row, done.get(row.task), is_paused=row.task in paused)
            for row in figures.tasks[:_MOST]
        ],
        footer=_footer(figures),
    )


async def task(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /tasks/{identifier}`."""
    v = await site.view(request, viewer)
    name = request.path_params.get("identifier") or request.query_params.get("name", "")
    try:
        figures = (await site.samples.figures.get()).value
    except DatabaseError as error:
        return trouble(request, v, error)
    row = next((row for row in figures.tasks if row.task == name), None)
    if row is None:
        return not_there(request, v, f"No task {name[:128]!r} is known in this schema.")
    try:
        is_paused = any(pause.name == name for pause in (await site.reading.paused()).tasks)
        periods = await site.reading.past.periods(timedelta(hours=24), name)
        slowest = await site.reading.past.slowest(name)
    except DatabaseError as error:
        return trouble(request, v, error)
    return render(
        request,
        "task.html",
        v,
        title=f"Task {name}",
        section="tasks",
        task=name,
        paused=is_paused,
        acts=_acts(v, name, is_paused=is_paused),
        cards=job_cards(v, row.counts, task=name),
        charts=history_charts.work(v, periods) if periods else [],
        slowest=slowest,
        facts=_facts(v, figures, row),
    )


def _row(row: TaskCounts, work: TaskWork | None, *, is_paused: bool) -> dict[str, Any]:
    return {
        "task": row.task,
        "paused": is_paused,
        "states": [(title, state, row.counts.of(state)) for title, state in _STATES],
        "waiting": row.counts.of("waiting"),
        "oldest": row.counts.oldest_ready_at,
        "workers": row.workers,
        **numbers_of(work),
    }


def _footer(figures: Figures) -> str:
    shown = words.plural(len(figures.tasks), "task")
    if len(figures.tasks) > _MOST:
        shown = f"The first {_MOST} of {shown}"
    if figures.workers.claimed is None and figures.fleet:
        return f"{shown} · which workers run a task is not known: not all of them tell"
    return shown


def _acts(v: View, name: str, *, is_paused: bool) -> list[Button]:
    acts = [Button("Add a job", v.url("jobs", "new", task=name))] if allowed(v, "enqueue") else []
    if allowed(v, "pause"):
        act = "resume" if is_paused else "pause"
        acts.append(Button(act.capitalize(), v.url(act, kind="task", name=name)))
    return acts


def _facts(v: View, figures: Figures, row: TaskCounts) -> list[tuple[str, Any]]:
    members = [member for member in figures.fleet if row.task in (member.tasks or ())]
    queues = sorted(
        {group.queue for group in figures.groups if group.task == row.task and group.queue}
    )
    return [
        ("Workers that run it", v.number(row.workers) if row.workers is not None else "not known"),
        ("Which", v.list([v.mono(member.worker_id) for member in members], 5) or words.UNKNOWN),
        ("Queues of its jobs", v.list([v.queue(queue) for queue in queues], 10) or "none"),
        ("Jobs in the table", v.number(row.counts.total)),
    ]
