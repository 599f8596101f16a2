"""`WorkerUtils`: add jobs and look after them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, overload

from graphile_worker.client.bulk import match, waves
from graphile_worker.client.open_database import open_database
from graphile_worker.database.executor import Database, Executor
from graphile_worker.database.schema import Schema
from graphile_worker.errors import (
    ConfigurationError,
    DatabaseError,
    JobNotAddedError,
    JobScheduleFailed,
)
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.hooks.scheduling import (
    around_adding,
    schedule,
    schedule_batch,
    schedule_many,
)
from graphile_worker.jobs.definition import JobDefinition, TaskClass, as_definition
from graphile_worker.jobs.job import Job, JobState
from graphile_worker.jobs.new_job import NewJob, RawJobSpec
from graphile_worker.jobs.spec import JobSpec, given
from graphile_worker.migrations.runner import migrate
from graphile_worker.migrations.state import check_schema
from graphile_worker.payloads.codec import to_json
from graphile_worker.queries import add_jobs as adding
from graphile_worker.queries import manage_jobs as managing
from graphile_worker.queries.manage_jobs import Stats
from graphile_worker.runtime.opening import Opening

P = TypeVar("P")
I = TypeVar("I")  # noqa: E741 (an item)

_NO_ROW = "GWNOR"
"""What the schema's add_job raises where Node's older one answers with a row of nulls."""


class WorkerUtils:
    """Adds, lists and removes jobs in one schema of one database.

    Made by `WorkerUtils.connect`, by `worker.create_utils()`, or over a `Database`. Safe to use
    from many tasks of one event loop at once. It never migrates unless `migrate` is called.

    Cancel safety: a cancelled call may or may not have reached the database; add with a `job_key`
    where adding twice would hurt.

    Example:
        async with WorkerUtils.connect(database_url) as utils:
            await utils.add_job(send_email, SendEmail("a@example.com"))
    """

    def __init__(
        self,
        database: Database,
        *,
        schema: str | Schema = "graphile_worker",
        use_local_time: bool = False,
        hooks: HookRegistry | None = None,
    ) -> None:
        self._database = database
        self._hooks = hooks
        self._schema = schema if isinstance(schema, Schema) else Schema(schema)
        self._use_local_time = use_local_time
        self._owns_database = False

    @classmethod
    def connect(
        cls,
        database_url: str,
        *,
        schema: str = "graphile_worker",
        max_pg_conn: int = 5,
        prepared_statements: bool = True,
        use_local_time: bool = False,
        hooks: HookRegistry | None = None,
    ) -> Opening[WorkerUtils]:
        """Open a pool and check that the schema is there.

        Args:
            database_url: any libpq URL, or `embedded:`.
            schema: where the tables are.
            max_pg_conn: the most connections the pool opens, at least 1.
            prepared_statements: False behind a pooler in transaction mode.
            use_local_time: jobs without `run_at` get this process's time, not the database's.
            hooks: their `BeforeJobSchedule` handlers are asked about every job that is added.

        Returns:
            `async with WorkerUtils.connect(url) as utils`, or `await` and `aclose` it.

        Raises:
            ConnectionLostError: nobody answers there.
            DatabaseError: the server refused us.
            SchemaMissingError: run `graphile-worker migrate` first.
        """
        quoted = Schema(schema)

        async def open_utils() -> WorkerUtils:
            database = await open_database(
                database_url, max_connections=max_pg_conn, prepared_statements=prepared_statements
            )
            try:
                await check_schema(database, quoted)
            except BaseException:
                await database.aclose()
                raise
            utils = cls(database, schema=quoted, use_local_time=use_local_time, hooks=hooks)
            utils._owns_database = True
            return utils

        return Opening(open_utils)

    @property
    def schema(self) -> str:
        """The name of the schema."""
        return self._schema.name

    async def aclose(self) -> None:
        """Close the pool, if `connect` opened it."""
        if self._owns_database:
            await self._database.aclose()

    async def migrate(self) -> None:
        """Create the schema, or bring it to the newest revision.

        Raises:
            MigrationError: what stands in the way, and what to do about it.
        """
        await migrate(self._database, self._schema)

    @overload
    async def add_job(
        self, task: JobDefinition[None], payload: None = None, spec: JobSpec | None = None
    ) -> Job: ...
    @overload
    async def add_job(
        self, task: JobDefinition[P], payload: P, spec: JobSpec | None = None
    ) -> Job: ...
    @overload
    async def add_job(
        self, task: type[TaskClass], payload: TaskClass, spec: JobSpec | None = None
    ) -> Job: ...
    async def add_job(self, task: Any, payload: Any = None, spec: JobSpec | None = None) -> Job:
        """Add a job of a task.

        Args:
            task: a task, a `task_ref`, or a task class.
            payload: what the task takes; nothing for one without payload.
            spec: when and how it runs, laid over the task's own spec.

        Returns:
            The job as stored. With a key that exists it is that job, changed.

        Raises:
            PayloadError: the payload is not what the task takes.
            JobNotAddedError: nothing was stored, see there.
        """
        return await self._add(as_definition(task).job(payload, spec))

    async def add_raw_job(
        self, identifier: str, payload: Any = None, spec: JobSpec | None = None
    ) -> Job:
        """Add a job by the name of its task; any JSON payload, `None` is stored as `{}`."""
        return await self._add(_raw(RawJobSpec(identifier, payload, spec or JobSpec())))

    async def add_batch_job(
        self, task: JobDefinition[list[I]], items: Iterable[I], spec: JobSpec | None = None
    ) -> Job:
        """Add one job of a batch task with these items as its payload.

        Adding again with the same key while the job waits appends the items.

        Raises:
            JobScheduleFailed: there are no items.
        """
        payload = list(items)
        if not payload:
            raise JobScheduleFailed("a batch job needs at least one item")
        job = schedule_batch(self._hooks, as_definition(task).job(payload, spec))
        return await self._store("add_batch_job", job)

    @overload
    async def add_jobs(self, task: Iterable[NewJob], /) -> list[Job]: ...
    @overload
    async def add_jobs(
        self, task: JobDefinition[P], payloads: Iterable[P], spec: JobSpec | None = None
    ) -> list[Job]: ...
    async def add_jobs(
        self, task: Any, payloads: Iterable[Any] | None = None, spec: JobSpec | None = None
    ) -> list[Job]:
        """Add many jobs in one transaction: of one task, or any made with `task.job(…)`.

        Jobs with the same key are taken in order, as if added one by one.

        Returns:
            The jobs in the order given.

        Raises:
            PayloadError: a payload does not fit; nothing was stored.
            JobScheduleFailed: a job asks for `JobKeyMode.UNSAFE_DEDUPE`; nothing was stored.
        """
        if payloads is None:
            return await self._add_many(list(task))
        definition = as_definition(task)
        return await self._add_many([definition.job(payload, spec) for payload in payloads])

    async def add_raw_jobs(self, specs: Iterable[RawJobSpec]) -> list[Job]:
        """Add many jobs by the names of their tasks; otherwise as `add_jobs`."""
        return await self._add_many([_raw(spec) for spec in specs])

    async def remove_job(self, key: str) -> Job | None:
        """Remove the job with this key.

        A running job cannot be stopped: it loses its key and is not retried.

        Returns:
            The job, or None when no job has this key.
        """
        return await self._database.run(managing.remove_job(self._schema, key))

    async def get_job(self, job_id: int) -> Job | None:
        """One job by its id; None when it is done or never was."""
        return await self._database.run(managing.get_job(self._schema, job_id))

    async def list_jobs(
        self,
        state: str | JobState = "all",
        identifier: str | None = None,
        queue: str | None = None,
        search: str | None = None,
        limit: int | None = 100,
        offset: int = 0,
    ) -> list[Job]:
        """Jobs by id ascending.

        Args:
            state: `all`, `ready`, `scheduled`, `locked` or `failed`.
            identifier: only this task.
            queue: only this queue.
            search: text to find in id, key, task, queue, error or payload, in any case.
            limit: at most so many; None for all.
            offset: leave out the first so many.

        Raises:
            ConfigurationError: an unknown state, a negative limit or offset.
        """
        statement = managing.list_jobs(
            self._schema,
            state=_state(state),
            identifier=identifier,
            queue=queue,
            search=search,
            limit=_count("limit", limit),
            offset=_count("offset", offset) or 0,
        )
        return await self._database.run(statement)

    async def stats(self) -> Stats:
        """How many jobs there are, by state."""
        return await self._database.run(managing.stats(self._schema))

    async def _add(self, job: NewJob) -> Job:
        return await self._store("add_job", schedule(self._hooks, job))

    async def _store(self, operation: str, job: NewJob) -> Job:
        with around_adding(self._hooks, operation, [job]) as [traced]:
            return await self._insert(traced)

    async def _insert(self, job: NewJob) -> Job:
        key = given(job.spec.job_key)
        try:
            added = await self._database.run(adding.add_job(self._schema, self._timed(job)))
        except DatabaseError as error:
            if error.sqlstate != _NO_ROW:
                raise
            raise JobNotAddedError(key) from error
        if added is None:
            raise JobNotAddedError(key)
        return added

    async def _add_many(self, jobs: Sequence[NewJob]) -> list[Job]:
        jobs = [self._timed(job) for job in schedule_many(self._hooks, jobs)]
        if not jobs:
            return []
        with around_adding(self._hooks, "add_jobs", jobs) as traced:
            return await self._insert_many(traced)

    async def _insert_many(self, jobs: Sequence[NewJob]) -> list[Job]:
        split = waves(jobs)
        added: list[Job | None] = [None] * len(jobs)
        async with self._database.connection() as connection, connection.transaction():
            for wave in split:
                batch = [jobs[position] for position in wave.positions]
                stored = await self._add_wave(
                    connection, batch, preserve_run_at=wave.preserve_run_at
                )
                for position, job in zip(wave.positions, stored, strict=True):
                    added[position] = job
        return [job for job in added if job is not None]

    async def _add_wave(
        self, executor: Executor, jobs: Sequence[NewJob], *, preserve_run_at: bool
    ) -> list[Job]:
        statement = adding.add_jobs(self._schema, jobs, preserve_run_at=preserve_run_at)
        rows = await executor.run(statement)
        task_ids = {row[1] for row in rows}
        queue_ids = {row[2] for row in rows if row[2] is not None}
        names = await executor.run(
            adding.names(self._schema, task_ids=list(task_ids), queue_ids=list(queue_ids))
        )
        return match(jobs, rows, names)

    def _timed(self, job: NewJob) -> NewJob:
        """With `use_local_time`, a job without a time gets ours."""
        if not self._use_local_time or given(job.spec.run_at) is not None:
            return job
        spec = dataclasses.replace(job.spec, run_at=datetime.now(UTC))
        return dataclasses.replace(job, spec=spec)


def _raw(raw: RawJobSpec) -> NewJob:
    payload = "{}" if raw.payload is None else to_json(raw.payload)
    return NewJob(identifier=raw.identifier, payload=payload, spec=raw.spec)


def _state(state: str | JobState) -> str:
    value = state.value if isinstance(state, JobState) else state
    known = ["all", *(s.value for s in JobState)]
    if value not in known:
        raise ConfigurationError(f"state must be one of {', '.join(known)}, got {state!r}")
    return value


def _count(name: str, value: int | None) -> int | None:
    if value is not None and value < 0:
        raise ConfigurationError(f"{name} must be at least 0, got {value}")
    return value
