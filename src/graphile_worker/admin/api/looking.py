"""The API's GETs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from graphile_worker.admin.api import shapes
from graphile_worker.admin.parts import Parts
from graphile_worker.admin.service.audit import AuditPage
from graphile_worker.admin.service.crons import CronEntry
from graphile_worker.admin.service.exporting import CSV, NDJSON, ExportForm
from graphile_worker.admin.service.failures import Failures
from graphile_worker.admin.service.filters import JobFilter, filter_of, parse_filter
from graphile_worker.admin.service.groups import TaskCounts
from graphile_worker.admin.service.health import Health
from graphile_worker.admin.service.job_details import JobDetails
from graphile_worker.admin.service.job_page import Count, JobPage
from graphile_worker.admin.service.redaction import Redactor
from graphile_worker.admin.web.endpoint import Described, Endpoint, require
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.problems import Problem, Refused, missing
from graphile_worker.admin.web.requests import converted, json_answer, query_of
from graphile_worker.queries.history import JobRun
from graphile_worker.runtime.version import VERSION

_VIEW = ("view",)
_RANGES = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_POINTS = 120
"""Of a series."""
_DIGITS = 19
"""Of the largest id."""


class Looking:
    """Answers the API's GETs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reading = parts.reading

    def endpoints(self) -> list[Endpoint]:
        """All of them, names before what could be a name."""
        return [
            _get("status", self._status, "Who and what", answers=shapes.Status),
            _get("overview", self._overview, "Figures", answers=shapes.Overview),
            _get("jobs", self._jobs, "A page of jobs", query=shapes.JobsQuery, answers=JobPage),
            _get("jobs/count", self._count, "How many", query=shapes.FilterQuery, answers=Count),
            _get("jobs/{id}", self._job, "A job", query=shapes.RevealQuery, answers=JobDetails),
            _get(
                "jobs/{id}/payload",
                self._payload,
                "The payload of a job, whole",
                query=shapes.RevealQuery,
                answers=Any,
                needs=("view_payload",),
            ),
            _get("jobs/{id}/attempts", self._attempts, "Its attempts", answers=list[JobRun]),
            _get(
                "series",
                self._series,
                "What was, as far as history is kept",
                query=shapes.SeriesQuery,
                answers=shapes.Series,
            ),
            _get(
                "failures",
                self._failures,
                "Kinds of failures",
                query=shapes.FailuresQuery,
                answers=Failures,
            ),
            _get("tasks", self._tasks, "Tasks", answers=shapes.TaskList),
            _get("tasks/{name:text}", self._task, "A task", answers=TaskCounts),
            _get("queues", self._queues, "Queues", answers=shapes.QueueList),
            _get("queues/{name:text}", self._queue, "A queue", answers=shapes.QueueDetails),
            _get("workers", self._workers, "Workers", answers=shapes.Fleet),
            _get("cron", self._crons, "Recurring jobs", answers=list[CronEntry]),
            _get("health", self._health, "Server, schema, tables", answers=Health),
            _get(
                "audit",
                self._audit,
                "Who did what",
                query=shapes.AuditQuery,
                answers=AuditPage,
                needs=("audit",),
            ),
            _get(
                "suggest",
                self._suggest,
                "Values for a field of a filter",
                query=shapes.SuggestQuery,
                answers=list[str],
            ),
            self._export(NDJSON, "All jobs of a filter, one a line"),
            self._export(CSV, "All jobs of a filter, for a spreadsheet"),
        ]

    async def _status(self, request: Request, identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        user = shapes.User(identity.name, identity.role, sorted(identity.permissions))
        parts = self._parts
        return json_answer(
            shapes.Status(VERSION, parts.schema, parts.environment, parts.read_only, user)
        )

    async def _overview(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        figures = await self._reading.figures.get()
        pulse = await self._reading.pulse.get()
        fleet = figures.value.fleet
        states = [member.state for member in fleet]
        return json_answer(
            shapes.Overview(
                counts=figures.value.counts,
                total=figures.value.counts.total,
                counted_at=figures.at,
                counts_error=figures.error,
                pulse=pulse.value,
                workers=states.count("alive"),
                stale_workers=states.count("stale"),
                unregistered_workers=states.count("unregistered"),
                forward_load=await self._reading.forward_load(),
            )
        )

    async def _jobs(self, request: Request, identity: Identity) -> Response:
        query = query_of(request, shapes.JobsQuery)
        with_payloads = query.fields == "payload"
        wanted = filter_from(query, identity, self._reading.redactor)
        if with_payloads:
            require(identity, "view_payload")
        page = await self._reading.jobs.find(
            wanted, limit=query.limit, after=query.after, payloads=with_payloads
        )
        return json_answer(page)

    async def _count(self, request: Request, identity: Identity) -> Response:
        query = query_of(request, shapes.FilterQuery)
        wanted = filter_from(query, identity, self._reading.redactor)
        return json_answer(await self._reading.jobs.count(wanted))

    async def _job(self, request: Request, identity: Identity) -> Response:
        reveal = query_of(request, shapes.RevealQuery).reveal
        job_id = id_of(request)
        await self._revealing(identity, job_id, reveal=reveal)
        details = await self._reading.jobs.one(job_id, reveal=reveal)
        if details is None:
            raise _gone(job_id)
        if "view_payload" not in identity.permissions:
            return json_answer(without_payload(details))
        return json_answer(details)

    async def _payload(self, request: Request, identity: Identity) -> Response:
        reveal = query_of(request, shapes.RevealQuery).reveal
        job_id = id_of(request)
        await self._revealing(identity, job_id, reveal=reveal)
        payload = await self._reading.jobs.payload(job_id, reveal=reveal)
        if payload is None:
            raise _gone(job_id)
        if payload.problem is not None and not payload.text:
            raise _not_decoded(job_id, payload.problem)
        headers = {"Content-Disposition": f'attachment; filename="job-{job_id}.json"'}
        return Response(payload.text.encode(), 200, headers, media_type="application/json")

    async def _attempts(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        return json_answer(await self._reading.past.attempts(id_of(request)))

    async def _series(self, request: Request, _identity: Identity) -> Response:
        query = query_of(request, shapes.SeriesQuery)
        past, since = self._reading.past, _RANGES[query.range]
        step = max(timedelta(minutes=1), since / _POINTS)
        return json_answer(
            shapes.Series(
                is_kept=await past.status() is not None,
                samples=[] if query.task else await past.samples(since, step),
                work=await past.periods(since, query.task or None),
            )
        )

    async def _failures(self, request: Request, _identity: Identity) -> Response:
        query = query_of(request, shapes.FailuresQuery)
        return json_answer(
            await self._reading.failures(
                scope=query.scope, task=query.task or None, limit=query.limit
            )
        )

    async def _tasks(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        figures = await self._reading.figures.get()
        return json_answer(shapes.TaskList(figures.value.tasks, figures.at))

    async def _task(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        name = request.path_params["name"]
        figures = await self._reading.figures.get()
        for row in figures.value.tasks:
            if row.task == name:
                return json_answer(row)
        raise missing(f"nothing is known of a task {name[:128]!r}")

    async def _queues(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        figures = await self._reading.figures.get()
        return json_answer(shapes.QueueList(figures.value.queues, figures.at))

    async def _queue(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        name = request.path_params["name"]
        figures = await self._reading.figures.get()
        row = next((row for row in figures.value.queues if row.queue == name), None)
        if row is None:
            raise missing(f"there is no queue {name[:128]!r}")
        page = await self._reading.jobs.find(filter_of(queue=name, state="waiting"), limit=10)
        holder = await self._reading.jobs.queue_holder(name)
        return json_answer(shapes.QueueDetails(row, row.state, holder, page))

    async def _workers(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        figures = await self._reading.figures.get()
        return json_answer(shapes.Fleet(figures.value.fleet, figures.at))

    async def _crons(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        return json_answer(await self._reading.crons())

    async def _health(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        found = await self._reading.health()
        checks = (await self._reading.findings.get()).value
        return json_answer(replace(found, checks=checks))

    async def _audit(self, request: Request, _identity: Identity) -> Response:
        query = query_of(request, shapes.AuditQuery)
        page = await self._parts.audit.page(limit=query.limit, before=query.before)
        return json_answer(page)

    async def _suggest(self, request: Request, _identity: Identity) -> Response:
        query = query_of(request, shapes.SuggestQuery)
        return json_answer(await self._reading.suggest(query.field, query.q))

    def _export(self, form: ExportForm, summary: str) -> Endpoint:
        async def call(request: Request, identity: Identity) -> Response:
            query = query_of(request, shapes.ExportQuery)
            wanted = filter_from(query, identity, self._reading.redactor)
            await self._parts.audit.tell(identity.name, "export", {"filter": wanted.fields})
            chunks = self._reading.jobs.export(wanted, most=query.limit)
            file = form.file(chunks, shows="view_payload" in identity.permissions)
            return StreamingResponse(file, media_type=form.media_type, headers=form.headers)

        return Endpoint(
            method="GET",
            path=f"/api/v1/export.{form.name}",
            call=call,
            needs=("export",),
            is_stream=True,
            described=Described(
                summary=summary, query=shapes.ExportQuery, media_type=form.media_type
            ),
        )

    async def _revealing(self, identity: Identity, job_id: int, *, reveal: bool) -> None:
        """Secrets are shown to those who may see them, and it is written down first."""
        if reveal:
            require(identity, "view_payload", "reveal_payload")
            await self._parts.audit.tell(identity.name, "reveal", {"ids": [job_id]})


def filter_from(query: shapes.FilterQuery, identity: Identity, redactor: Redactor) -> JobFilter:
    """The filter in parameters; who may not see payloads may not search them either.

    Raises:
        Refused: that they may not.
        ConfigurationError: it makes no sense.
    """
    fields: Mapping[str, str] = {
        name: getattr(query, name) for name in shapes.FilterQuery.__struct_fields__
    }
    return checked_filter(fields, identity, redactor)


def checked_filter(fields: Mapping[str, str], identity: Identity, redactor: Redactor) -> JobFilter:
    """The same with the fields as they are; see `filter_from`."""
    unknown = sorted(fields.keys() - set(shapes.FilterQuery.__struct_fields__))
    if unknown:
        converted(fields, shapes.FilterQuery)  # says which one
    wanted = parse_filter(fields)
    if {"payload", "q"} & wanted.fields.keys():
        require(identity, "view_payload")
    if any(redactor.is_secret(step) for step in wanted.wanted.payload_path or ()):
        require(identity, "reveal_payload")  # who may ask whether it is 42 is told what it is
    return wanted


def id_of(request: Request) -> int:
    """The id of a job in the path.

    Raises:
        Refused: no job has such an id.
    """
    text: str = request.path_params["id"]
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS or int(text) >= 2**63:
        raise missing(f"no job has the id {text[:40]!r}")
    return int(text)


def without_payload(details: JobDetails) -> dict[str, Any]:
    """A job for those who may not see payloads."""
    found: dict[str, Any] = msgspec.to_builtins(details)
    found["payload"] = None
    return found


def _gone(job_id: int) -> Exception:
    return missing(f"job {job_id} not found: Graphile Worker deletes a job when it succeeds")


def _not_decoded(job_id: int, problem: str) -> Exception:
    detail = f"the payload of job {job_id}: {problem}"
    return Refused(Problem(422, "not-decoded", "The payload cannot be shown", detail))


def _get(
    path: str,
    call: Any,
    summary: str,
    *,
    query: Any = shapes.Nothing,
    answers: Any,
    needs: tuple[str, ...] = _VIEW,
) -> Endpoint:
    return Endpoint(
        method="GET",
        path=f"/api/v1/{path}",
        call=call,
        needs=needs,
        described=Described(summary=summary, query=query, answers=answers),
    )
