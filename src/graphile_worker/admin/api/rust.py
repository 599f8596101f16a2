"""The routes of the Rust implementation's admin server, for its clients."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.api.acting import PERMISSION_OF
from graphile_worker.admin.api.looking import id_of
from graphile_worker.admin.api.shapes import Seconds
from graphile_worker.admin.parts import Parts
from graphile_worker.admin.service.actions import Act, JobAction
from graphile_worker.admin.service.plain import PlainReading
from graphile_worker.admin.web.endpoint import Call, Endpoint, Kind, require
from graphile_worker.admin.web.origin import CSRF_HEADER
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.problems import invalid, missing
from graphile_worker.admin.web.requests import Body, Query, body_of, json_answer, query_of
from graphile_worker.client.new_jobs import raw
from graphile_worker.client.operations.cleaning import CleanupTask
from graphile_worker.errors import PayloadError
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import RawJobSpec
from graphile_worker.jobs.spec import JobKeyMode, JobSpec
from graphile_worker.payloads.codec import to_json

_REASON: Final = "Marked failed from Graphile Worker admin UI"
_MOST: Final = 500
_Name = Annotated[str, Meta(max_length=2_048)]


class JobsQuery(Query, frozen=True):
    """A page of jobs, by id."""

    state: Literal["all", "ready", "scheduled", "locked", "failed"] = "all"
    identifier: _Name = ""
    queue: _Name = ""
    search: _Name = ""
    limit: int = 100
    offset: int = 0


class AddJobRequest(Body, frozen=True):
    """A job to add."""

    identifier: str
    payload: Any = None
    queue: str | None = None
    run_at: datetime | None = None
    max_attempts: int | None = None
    key: str | None = None
    job_key_mode: Literal["replace", "preserve-run-at", "unsafe-dedupe"] | None = None
    priority: int | None = None
    flags: list[str] | None = None


class JobActionRequest(Body, frozen=True):
    """What to do to which jobs."""

    action: Literal["complete", "fail", "run-now", "reschedule"]
    ids: tuple[int, ...] = ()
    reason: str | None = None
    run_at: datetime | None = None
    priority: int | None = None
    attempts: int | None = None
    max_attempts: int | None = None


class RemoveByKeyRequest(Body, frozen=True):
    """Which job."""

    key: str = ""


class MaintenanceRequest(Body, frozen=True):
    """What to do."""

    action: Literal["migrate", "cleanup", "force-unlock", "sweep-stale-workers"]
    cleanup_tasks: tuple[str, ...] = ()
    worker_ids: tuple[str, ...] = ()
    dry_run: bool = False
    sweep_threshold_secs: Seconds | None = None
    recovery_delay_secs: Seconds | None = None


_ACTIONS: Final = {
    "complete": JobAction.DELETE,
    "fail": JobAction.FAIL,
    "run-now": JobAction.RUN_NOW,
    "reschedule": JobAction.RESCHEDULE,
}
_SAID: Final = {
    "complete": "Completed",
    "fail": "Failed",
    "run-now": "Run now",
    "reschedule": "Rescheduled",
}


class RustRoutes:
    """Answers as the Rust implementation's server does, with its messages."""

    def __init__(self, parts: Parts, reading: PlainReading) -> None:
        self._parts = parts
        self._reading = reading

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        return [
            _endpoint("GET", "session", self._session, "view"),
            _endpoint("GET", "overview", self._overview, "view"),
            _endpoint("GET", "jobs", self._jobs, "view"),
            _endpoint("POST", "jobs", self._add, "enqueue"),
            _endpoint("POST", "jobs/action", self._act, "retry", "reschedule", "fail", "delete"),
            _endpoint("POST", "jobs/remove-by-key", self._remove, "delete"),
            _endpoint("GET", "jobs/{id}", self._job, "view"),
            _endpoint(
                "POST", "maintenance", self._maintain, "migrate", "maintain", "unlock", "sweep"
            ),
        ]

    async def _session(self, _request: Request, _identity: Identity) -> Response:
        parts = self._parts
        return json_answer(
            {
                "schema": parts.schema,
                "read_only": parts.read_only,
                "csrf_header": CSRF_HEADER,
                "auth": {
                    "mode": parts.auth_mode,
                    "username": parts.username,
                    "header_name": parts.header_name,
                    "generated_secret": parts.secret_was_generated,
                },
            }
        )

    async def _overview(self, _request: Request, _identity: Identity) -> Response:
        return json_answer(await self._reading.overview())

    async def _jobs(self, request: Request, identity: Identity) -> Response:
        query = query_of(request, JobsQuery)
        for name in ("limit", "offset"):
            if getattr(query, name) < 0:
                raise invalid(f"{name} must be greater than or equal to 0")
        if query.search:
            require(identity, "view_payload")
        jobs = await self._reading.jobs(
            state=query.state,
            identifier=query.identifier or None,
            queue=query.queue or None,
            search=query.search or None,
            limit=min(query.limit, _MOST),
            offset=min(query.offset, 2**63 - 1),
        )
        return json_answer({"jobs": await self._listed(jobs, identity)})

    async def _job(self, request: Request, identity: Identity) -> Response:
        job_id = id_of(request)
        job = await self._reading.job(job_id)
        if job is None:
            raise missing(f"job {job_id} not found")
        return json_answer((await self._listed([job], identity))[0])

    async def _add(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, AddJobRequest)
        key = body.key if body.key and body.key.strip() else None
        if body.job_key_mode is not None and key is None:
            raise invalid("key is required when job_key_mode is set")
        if not body.identifier.strip():
            raise invalid("identifier is required")
        mode = body.job_key_mode
        spec = JobSpec(
            queue_name=body.queue,
            run_at=body.run_at,
            max_attempts=body.max_attempts,
            job_key=key,
            job_key_mode=None if mode is None else JobKeyMode(mode.replace("-", "_")),
            priority=body.priority,
            flags=body.flags or None,
        )
        new = raw(RawJobSpec(body.identifier, body.payload, spec))
        job = await self._parts.acting().add_job(identity.name, new)
        return json_answer(
            {"message": f"Added job {job.id}", "jobs": await self._outputs([job], identity)}
        )

    async def _act(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, JobActionRequest)
        act = self._act_of(body)
        require(identity, PERMISSION_OF[act.action])
        done = await self._parts.acting().act_with_jobs(identity.name, act, body.ids)
        return json_answer(
            {
                "message": f"{_SAID[body.action]} {len(done.jobs)} job(s)",
                "jobs": await self._outputs(done.jobs, identity),
            }
        )

    async def _remove(self, request: Request, identity: Identity) -> Response:
        key = (await body_of(request, RemoveByKeyRequest)).key
        if not key.strip():
            raise invalid("key is required")
        await self._parts.acting().remove_by_key(identity.name, key)
        return json_answer({"message": f"Removed job with key `{key}`"})

    async def _maintain(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, MaintenanceRequest)
        match body.action:
            case "migrate":
                require(identity, "migrate")
                await self._parts.acting().migrate(identity.name)
                return json_answer({"message": "Migrations complete"})
            case "cleanup":
                require(identity, "maintain")
                await self._parts.acting().clean_up(identity.name, _cleanup_tasks(body))
                return json_answer({"message": "Cleanup complete"})
            case "force-unlock":
                require(identity, "unlock")
                await self._parts.acting().unlock(identity.name, body.worker_ids)
                return json_answer({"message": f"Unlocked {len(body.worker_ids)} worker id(s)"})
            case "sweep-stale-workers":
                require(identity, "sweep")
                return json_answer({"message": await self._sweep(body, identity)})

    async def _sweep(self, body: MaintenanceRequest, identity: Identity) -> str:
        done = await self._parts.acting().sweep(
            identity.name,
            dry_run=body.dry_run,
            threshold=_span(body.sweep_threshold_secs),
            delay=_span(body.recovery_delay_secs),
        )
        if not done.worker_ids:
            return "No stale workers found"
        found = f"{len(done.worker_ids)} worker(s): {', '.join(done.worker_ids)}"
        if body.dry_run:
            return f"Would recover {found}"
        return f"Recovered {done.recovered_count} job(s) from {found}"

    def _act_of(self, body: JobActionRequest) -> Act:
        if not body.ids:
            raise invalid("select at least one job")
        changes = (body.run_at, body.priority, body.attempts, body.max_attempts)
        if body.action == "reschedule" and all(value is None for value in changes):
            raise invalid("provide run_at, priority, attempts, or max_attempts")
        takes_changes = body.action in {"reschedule", "run-now"}
        is_blank = body.reason is None or not body.reason.strip()
        return Act(
            action=_ACTIONS[body.action],
            reason=(_REASON if is_blank else body.reason) if body.action == "fail" else None,
            run_at=body.run_at if body.action == "reschedule" else None,
            priority=body.priority if takes_changes else None,
            attempts=body.attempts if takes_changes else None,
            max_attempts=body.max_attempts if takes_changes else None,
        )

    async def _listed(self, jobs: list[Job], identity: Identity) -> list[dict[str, Any]]:
        """`ListedJob`, without secrets; without payload for those who may not see it."""
        payloads: list[str | None] = [None] * len(jobs)
        if "view_payload" in identity.permissions:
            stored = [(job.task_identifier, _text(job.payload)) for job in jobs]
            decoded = await self._parts.reading.decoding.all(stored)
            payloads = [None if one.problem else one.text for one in decoded]
        return [self._shown(job, text) for job, text in zip(jobs, payloads, strict=True)]

    def _shown(self, job: Job, payload: str | None) -> dict[str, Any]:
        redactor = self._parts.reading.redactor
        found = {field.name: getattr(job, field.name) for field in dataclasses.fields(job)}
        del found["state"]
        found["payload"] = (
            None if payload is None else msgspec.Raw(redactor.json(payload).text.encode())
        )
        found["last_error"] = job.last_error and redactor.error(job.last_error).text
        found["flags"] = dict.fromkeys(sorted(job.flags), True) or None
        found["is_available"] = job.locked_at is None and job.attempts < job.max_attempts
        return found

    async def _outputs(self, jobs: list[Job], identity: Identity) -> list[dict[str, Any]]:
        """`DbJobOutput`, with the ids of task and queue; null where they are gone."""
        ids = await self._reading.ids_of_names(jobs) if jobs else {}
        outputs: list[dict[str, Any]] = []
        for job, found in zip(jobs, await self._listed(jobs, identity), strict=True):
            queue = found.pop("queue_name")
            del found["is_available"]
            found["task_id"] = ids.get(("task", job.task_identifier))
            found["job_queue_id"] = None if queue is None else ids.get(("queue", queue))
            outputs.append(found)
        return outputs


def _text(payload: Any) -> str:
    try:
        return to_json(payload)
    except PayloadError:
        return "null"  # odd JSON, which only its own text can show


def _cleanup_tasks(body: MaintenanceRequest) -> list[CleanupTask]:
    known = {task.value: task for task in CleanupTask}
    if unknown := [name for name in body.cleanup_tasks if name not in known]:
        raise invalid(f"unknown cleanup task {unknown[0][:80]!r}; known: {', '.join(known)}")
    return [known[name] for name in body.cleanup_tasks] or list(CleanupTask)


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _endpoint(method: str, path: str, call: Call, *needs: str) -> Endpoint:
    return Endpoint(method=method, path=f"/api/{path}", call=call, needs=needs, kind=Kind.RUST)
