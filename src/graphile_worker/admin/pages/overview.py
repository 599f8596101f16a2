"""The first screen: what is wrong in words, then numbers, then charts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.live.counters import Bucket
from graphile_worker.admin.pages import history_charts, words
from graphile_worker.admin.pages.cards import job_cards, worker_card
from graphile_worker.admin.pages.history_charts import IN_MEMORY, Range
from graphile_worker.admin.pages.render import render
from graphile_worker.admin.pages.site import Site, Viewer, last
from graphile_worker.admin.pages.task_work import numbers_of, works_by_task
from graphile_worker.admin.pages.view import View
from graphile_worker.admin.service.failures import FailureKind
from graphile_worker.admin.service.figures import Figures
from graphile_worker.client.operations.history import TaskWork
from graphile_worker.errors import DatabaseError

_MOST: Final = 5


async def overview(request: Request, site: Site, viewer: Viewer) -> Response:
    """`GET /`."""
    v = await site.view(request, viewer)
    samples = site.samples
    await asyncio.gather(*(one.get() for one in samples.shared), return_exceptions=True)
    figures, failures = last(samples.figures), last(samples.failures)
    chosen = history_charts.range_of(request.query_params.get("range"))
    is_kept = last(samples.kept) is not None
    found = await _buckets(site, v, chosen, is_kept=is_kept)
    around: dict[str, Any] = {"is_kept": is_kept, "since": samples.counters.since}
    return render(
        request,
        "overview.html",
        v,
        title="Overview",
        section="overview",
        attention=_attention(v, site),
        cards=[] if figures is None else [*job_cards(v, figures.counts), worker_card(v, figures)],
        throughput=history_charts.throughput(v, found, chosen, **around),
        wait=history_charts.wait(v, found, chosen, **around),
        load=history_charts.load(v, last(samples.load)),
        tasks=[] if figures is None else backlog(figures, last(samples.work) or ()),
        failures=[] if failures is None else _kinds(v, failures.kinds[:_MOST]),
    )


async def _buckets(site: Site, v: View, chosen: Range, *, is_kept: bool) -> Sequence[Bucket]:
    """What is recorded; the last minutes, and what is not recorded, this process saw itself."""
    if is_kept and chosen.name != IN_MEMORY[0]:
        try:
            return await history_charts.recorded(site.reading.past, chosen, v.now)
        except DatabaseError:
            return []
    return history_charts.remembered(site.samples.counters, chosen, v.now)


def _attention(v: View, site: Site) -> list[dict[str, str]] | None:
    found = site.attention()
    if found is None:
        return None
    return [
        {"what": one.what, "rest": one.rest, "url": v.url(*one.path, **one.query)}
        for one in found[:20]
    ]


def backlog(figures: Figures, works: Sequence[TaskWork]) -> list[dict[str, object]]:
    """The tasks with the most waiting jobs."""
    done = works_by_task(works)
    return [
        {
            "task": row.task,
            "ready": row.counts.of("waiting"),
            "oldest": row.counts.oldest_ready_at,
            "drains_in": _drains_in(row.counts.of("waiting"), row.workers, done.get(row.task)),
            **numbers_of(done.get(row.task)),
        }
        for row in figures.tasks[:_MOST]
        if row.counts.of("waiting")
    ]


def _drains_in(waiting: int, workers: int | None, done: TaskWork | None) -> str:
    """How long what waits takes at the pace of the last hour, if nothing were added."""
    if workers == 0:
        return "no worker"
    if done is None or not done.completed:
        return words.UNKNOWN
    return words.span(waiting / (done.completed / 3_600))


def _kinds(v: View, kinds: Sequence[FailureKind]) -> list[dict[str, object]]:
    return [
        {
            "task": kind.task,
            "fingerprint": kind.title,
            "jobs": kind.failed + kind.retrying,
            "last_at": kind.last_at,
            "url": v.url("jobs", task=kind.task, fingerprint=kind.fingerprint),
        }
        for kind in kinds
    ]
