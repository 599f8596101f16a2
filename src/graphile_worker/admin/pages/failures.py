"""What went wrong, grouped by task and kind of error, with acts on whole groups."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.buttons import job_buttons
from graphile_worker.admin.pages.charts import spark
from graphile_worker.admin.pages.messages import trouble
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.failures import FailureKind, Failures
from graphile_worker.errors import DatabaseError

SCOPES: Final = (10_000, 100_000, 10_000_000)
"""How many jobs with an error are looked at: by default, and on request."""


async def failures(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /failures`."""
    v = await site.view(request, viewer)
    task = request.query_params.get("task") or None
    scope = _scope(request.query_params.get("scope"))
    try:
        found, age = await _found(site, task, scope)
    except DatabaseError as error:
        return trouble(request, v, error)
    return render(
        request,
        "failures.html",
        v,
        title="Failures" if task is None else f"Failures of {task}",
        section="failures",
        task=task,
        groups=[_group(v, kind) for kind in found.kinds],
        acts=bool(job_buttons(v, "all", {})),
        footer=_footer(found, age),
        links=[] if found.is_complete else _wider(v, scope, task),
    )


async def _found(site: Site, task: str | None, scope: int) -> tuple[Failures, float | None]:
    """The groups, and how old they are where all viewers share them."""
    if task is None and scope == SCOPES[0] and await site.reading.tried.are_shared():
        sample = await site.samples.failures.get()
        return sample.value, sample.age
    return await site.reading.failures(task=task, scope=scope), None


def _group(v: View, kind: FailureKind) -> dict[str, Any]:
    query: dict[str, object] = {"task": kind.task, "fingerprint": kind.fingerprint}
    acts = [
        *(job_buttons(v, "failed", {**query, "state": "failed"}, ["retry"]) if kind.failed else []),
        *(
            job_buttons(v, "retrying", {**query, "state": "retrying"}, ["fail"])
            if kind.retrying
            else []
        ),
        *job_buttons(v, "all", query, ["delete"]),
    ]
    return {
        "task": kind.task,
        "fingerprint": kind.title,
        "failed": kind.failed,
        "retrying": kind.retrying,
        "first_at": kind.first_at,
        "last_at": kind.last_at,
        "ids": kind.ids,
        "spark": Markup(spark(kind.by_hour)),  # noqa: S704 - made of numbers
        "url": v.url("jobs", **query),
        "acts": acts,
    }


def _footer(found: Failures, age: float | None) -> str:
    what = "all of them" if found.is_complete else "the newest"
    groups = words.plural(len(found.kinds), "group")
    then = "" if age is None else f" · read {words.ago(age)}"
    return f"{groups} · {words.plural(found.searched, 'job')} with an error looked at, {what}{then}"


def _wider(v: View, scope: int, task: str | None) -> list[dict[str, str]]:
    return [
        {
            "url": v.url("failures", task=task, scope=wider),
            "text": "look at all (slow)"
            if wider == SCOPES[-1]
            else f"look at {words.number(wider)}",
        }
        for wider in SCOPES
        if wider > scope
    ]


def _scope(text: str | None) -> int:
    return int(text) if text in {str(scope) for scope in SCOPES} and text else SCOPES[0]
