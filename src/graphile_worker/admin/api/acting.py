"""The API's POSTs and DELETEs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.api import shapes
from graphile_worker.admin.api.looking import checked_filter
from graphile_worker.admin.parts import Parts
from graphile_worker.admin.service.actions import Act, JobAction, Report
from graphile_worker.admin.service.bulk import BulkOperation
from graphile_worker.admin.service.changing import Changing, Resumed
from graphile_worker.admin.service.job_page import Preview
from graphile_worker.admin.web.endpoint import Call, Described, Endpoint, require
from graphile_worker.admin.web.idempotency import Idempotency
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.problems import invalid, missing
from graphile_worker.admin.web.requests import body_of, json_answer, query_of
from graphile_worker.client.new_jobs import raw
from graphile_worker.client.operations.cleaning import CleanupTask
from graphile_worker.client.operations.pausing import Paused, ResumedQueue
from graphile_worker.jobs.new_job import RawJobSpec
from graphile_worker.jobs.spec import JobKeyMode, JobSpec
from graphile_worker.queries.pauses import Pause, PausedQueue
from graphile_worker.recovery.sweep import SweepResult

PERMISSION_OF: Final = {
    JobAction.RETRY: "retry",
    JobAction.RUN_NOW: "retry",
    JobAction.RESCHEDULE: "reschedule",
    JobAction.FAIL: "fail",
    JobAction.DELETE: "delete",
}
"""What each action on jobs needs."""

_ANY_ACTION: Final = ("retry", "reschedule", "fail", "delete")
_ALL: Final = "all"


class Acting:
    """Answers what changes something."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._redactor = parts.reading.redactor
        self._once = Idempotency().once

    def endpoints(self) -> list[Endpoint]:
        """All of them, names before what could be a name."""
        post, act = self._post, _ANY_ACTION
        return [
            post("jobs", self._add, "enqueue", "Add a job", shapes.NewJobBody, shapes.Added, 201),
            post("jobs/actions", self._act, act, "Act on jobs", shapes.ActionBody, Report),
            post(
                "jobs/preview",
                self._preview,
                act,
                "What acting on a filter would touch",
                shapes.ActionBody,
                Preview,
                only_reads=True,
            ),
            post(
                "jobs/remove-by-key",
                self._remove_by_key,
                "delete",
                "Remove the job with a key",
                shapes.KeyBody,
                shapes.Added,
            ),
            _get("operations", self._operations, list[shapes.Operation], "Bulk operations"),
            post(
                "operations",
                self._start,
                "bulk",
                "Act on all jobs of a filter",
                shapes.OperationBody,
                shapes.Operation,
                202,
            ),
            _get("operations/{id}", self._operation, shapes.Operation, "A bulk operation"),
            Endpoint(
                method="DELETE",
                path="/api/v1/operations/{id}",
                call=self._cancel,
                needs=("bulk",),
                described=Described(summary="End a bulk operation", answers=shapes.Operation),
            ),
            _get("paused", self._paused, Paused, "What is paused"),
            *self._pausing("queues/{name:text}", "queue", PausedQueue, ResumedQueue),
            *self._pausing("tasks/{name:text}", "task", Pause, Resumed),
            post(
                "cron/{name:text}/run",
                self._run_cron,
                "enqueue",
                "Add the job of an entry now",
                shapes.NoBody,
                shapes.Added,
                201,
            ),
            *self._pausing("cron/{name:text}", "cron entry", Pause, Resumed),
            *self._pausing("everything", "everything", Pause, Resumed),
            post(
                "workers/unlock",
                self._unlock,
                "unlock",
                "Unlock what dead workers hold",
                shapes.UnlockBody,
                shapes.Done,
            ),
            post(
                "workers/sweep",
                self._sweep,
                "sweep",
                "Free the jobs of workers that fell silent",
                shapes.SweepBody,
                SweepResult,
            ),
            post(
                "maintenance/migrate",
                self._migrate,
                "migrate",
                "Bring the schema to the newest revision",
                shapes.NoBody,
                shapes.Done,
            ),
            post(
                "maintenance/{task}",
                self._maintain,
                "maintain",
                "Clean up",
                shapes.NoBody,
                shapes.Deleted,
            ),
        ]

    # -- jobs ------------------------------------------------------------------------------------

    async def _add(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, shapes.NewJobBody)
        spec = JobSpec(
            queue_name=body.queue,
            run_at=body.run_at,
            max_attempts=body.max_attempts,
            job_key=body.key,
            job_key_mode=None if body.key_mode is None else JobKeyMode(body.key_mode),
            priority=body.priority,
            flags=body.flags or None,
        )
        if body.key_mode is not None and body.key is None:
            raise invalid("key_mode says what to do with a key, and there is none")
        new = raw(RawJobSpec(body.task, body.payload, spec))
        job = await self._acting().add_job(identity.name, new)
        return json_answer(shapes.Added(job.id), 201)

    async def _act(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, shapes.ActionBody)
        act = _act(body)
        require(identity, PERMISSION_OF[act.action])
        if body.ids is None or body.filter is not None or body.dry_run:
            raise invalid(
                "give the ids of up to 1,000 jobs; for those of a filter there are jobs/preview "
                "and operations"
            )
        return json_answer(await self._acting().act(identity.name, act, body.ids))

    async def _preview(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, shapes.ActionBody)
        require(identity, PERMISSION_OF[_act(body).action])
        wanted = checked_filter(body.filter or {}, identity, self._redactor)
        found = await self._parts.reading.jobs.preview(wanted)
        return json_answer(found)

    async def _remove_by_key(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, shapes.KeyBody)
        job = await self._acting().remove_by_key(identity.name, body.key)
        if job is None:
            raise missing(f"no job has the key {body.key[:128]!r}")
        return json_answer(shapes.Added(job.id))

    # -- bulk operations -------------------------------------------------------------------------

    async def _operations(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        changing = self._parts.changing
        return json_answer(
            [] if changing is None else list(map(shapes.Operation.of, changing.operations.all()))
        )

    async def _start(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, shapes.OperationBody)
        act = _act(body)
        require(identity, PERMISSION_OF[act.action])
        if body.filter is None or body.ids is not None or body.dry_run:
            raise invalid("give a filter ({} is all jobs); for single jobs there is jobs/actions")
        wanted = checked_filter(body.filter, identity, self._redactor)
        operation = await self._acting().start(identity.name, act, wanted, newest_id=body.newest_id)
        headers = {"Location": str(request.url) + "/" + operation.id}
        return json_answer(shapes.Operation.of(operation), 202, headers)

    async def _operation(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        changing = self._parts.changing
        found = changing and changing.operations.get(request.path_params["id"])
        return json_answer(_found(found or None, request))

    async def _cancel(self, request: Request, identity: Identity) -> Response:
        found = await self._acting().cancel(identity.name, request.path_params["id"])
        return json_answer(_found(found, request))

    # -- pausing ---------------------------------------------------------------------------------

    async def _paused(self, request: Request, _identity: Identity) -> Response:
        query_of(request, shapes.Nothing)
        return json_answer(await self._parts.reading.paused())

    def _pausing(self, path: str, what: str, paused: Any, resumed: Any) -> list[Endpoint]:
        def call(*, pause: bool) -> Call:
            async def answer(request: Request, identity: Identity) -> Response:
                await body_of(request, shapes.NoBody)
                name = request.path_params.get("name", "")
                changing = self._acting()
                act = changing.pause if pause else changing.resume
                return json_answer(await act(identity.name, what, name))

            return answer

        pause, body = ("pause",), shapes.NoBody
        return [
            self._post(f"{path}/pause", call(pause=True), pause, f"Pause: {what}", body, paused),
            self._post(
                f"{path}/resume", call(pause=False), pause, f"Resume: {what}", body, resumed
            ),
        ]

    # -- everything else -------------------------------------------------------------------------

    async def _run_cron(self, request: Request, identity: Identity) -> Response:
        await body_of(request, shapes.NoBody)
        name = request.path_params["name"]
        crontab = self._parts.reading.crontab(name)
        if crontab is None:
            raise missing(f"the crontab of {name[:128]!r} is not known here")
        job = await self._acting().run_cron(identity.name, crontab)
        return json_answer(shapes.Added(job.id), 201)

    async def _unlock(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, shapes.UnlockBody)
        await self._acting().unlock(identity.name, body.workers)
        return json_answer(shapes.Done())

    async def _sweep(self, request: Request, identity: Identity) -> Response:
        body = await body_of(request, shapes.SweepBody)
        result = await self._acting().sweep(
            identity.name,
            dry_run=body.dry_run,
            threshold=_span(body.threshold_seconds),
            delay=_span(body.delay_seconds),
        )
        return json_answer(result)

    async def _migrate(self, request: Request, identity: Identity) -> Response:
        await body_of(request, shapes.NoBody)
        await self._acting().migrate(identity.name)
        return json_answer(shapes.Done())

    async def _maintain(self, request: Request, identity: Identity) -> Response:
        await body_of(request, shapes.NoBody)
        task: str = request.path_params["task"]
        tasks = {task.value: [task] for task in CleanupTask} | {_ALL: list(CleanupTask)}
        if task not in tasks:
            known = ", ".join(tasks)
            raise missing(f"there is no maintenance {task[:80]!r}; known: {known}")
        return json_answer(
            shapes.Deleted(await self._acting().clean_up(identity.name, tasks[task]))
        )

    def _acting(self) -> Changing:
        return self._parts.acting()

    def _post(
        self,
        path: str,
        call: Call,
        needs: str | tuple[str, ...],
        summary: str,
        body: Any,
        answers: Any,
        status: int = 200,
        *,
        only_reads: bool = False,
    ) -> Endpoint:
        return Endpoint(
            method="POST",
            path=f"/api/v1/{path}",
            call=self._once(call),
            needs=(needs,) if isinstance(needs, str) else needs,
            only_reads=only_reads,
            described=Described(summary=summary, body=body, answers=answers, status=status),
        )


def _get(path: str, call: Call, answers: Any, summary: str) -> Endpoint:
    return Endpoint(
        method="GET",
        path=f"/api/v1/{path}",
        call=call,
        needs=("view",),
        described=Described(summary=summary, query=shapes.Nothing, answers=answers),
    )


def _act(body: shapes.ActionBody) -> Act:
    if body.run_at is not None and body.run_in is not None:
        raise invalid("give run_at or run_in, not both")
    return Act(
        action=JobAction(body.action),
        one_more=body.one_more,
        reason=body.reason,
        run_at=_span(body.run_in) if body.run_at is None else body.run_at,
        priority=body.priority,
        attempts=body.attempts,
        max_attempts=body.max_attempts,
    )


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _found(operation: BulkOperation | None, request: Request) -> shapes.Operation:
    if operation is None:
        asked: Mapping[str, str] = request.path_params
        raise missing(f"this process knows of no operation {asked['id'][:40]!r}")
    return shapes.Operation.of(operation)
