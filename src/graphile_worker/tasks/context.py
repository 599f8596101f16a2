"""What a handler is given besides its payload."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from graphile_worker.client.new_jobs import jobs_of, raw
from graphile_worker.client.sync_worker_utils import SyncWorkerUtils
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.database.executor import Database, SyncDatabase, SyncExecutor
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.errors import JobLostError
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.definition import JobDefinition, TaskClass
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import NewJob, RawJobSpec
from graphile_worker.jobs.spec import JobSpec
from graphile_worker.queries.release_jobs import complete_in_transaction
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.shutdown import ShutdownSignal
from graphile_worker.tasks.database_in_loop import DatabaseInLoop
from graphile_worker.tasks.transaction import JobTransaction

if TYPE_CHECKING:
    JobLogger = logging.LoggerAdapter[logging.Logger]

P = TypeVar("P")
I = TypeVar("I")  # noqa: E741 (an item)
T = TypeVar("T")

_job_logger = logging.getLogger("graphile_worker.job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What all runs of one worker share."""

    identity: WorkerIdentity
    schema: str
    database: Database
    utils: WorkerUtils
    extensions: Mapping[type, object]
    shutdown: ShutdownSignal
    loop: asyncio.AbstractEventLoop
    sync_database: Callable[[], SyncDatabase]
    """Connections for transactions in threads; asked there."""
    sync_utils: Callable[[SyncExecutor], SyncWorkerUtils]
    """The calls of `utils`, in such a transaction or over a database."""
    claims_are_row_locks: bool = False
    """Whether jobs are claimed by a transaction of the worker's, and nothing else."""


class _Context:
    """What both kinds of context have. Made for each run, so it computes nothing beforehand."""

    __slots__ = (
        "_claimed",
        "_environment",
        "_is_batch",
        "_job",
        "_task_identifier",
        "_transaction",
    )

    def __init__(
        self,
        claimed: ClaimedJob,
        task_identifier: str,
        environment: Environment,
        *,
        is_batch: bool = False,
    ) -> None:
        self._claimed = claimed
        self._task_identifier = task_identifier
        self._environment = environment
        self._is_batch = is_batch
        self._job: Job | None = None
        self._transaction: JobTransaction | None = None

    @property
    def is_completed(self) -> bool:
        """Whether `transaction()` has committed, so that the job is done, whatever follows."""
        return self._transaction is not None and self._transaction.is_committed

    @property
    def job(self) -> Job:
        """The job as it was claimed: `attempts` counts this run."""
        if self._job is None:
            worker_id = self._environment.identity.id
            self._job = self._claimed.job(self._task_identifier, worker_id)
        return self._job

    @property
    def payload(self) -> Any:
        """The stored JSON value, whatever the handler's type makes of it."""
        return self.job.payload

    @property
    def worker_id(self) -> str:
        """The id in `locked_by`."""
        return self._environment.identity.id

    @property
    def schema(self) -> str:
        """The name of the worker's schema."""
        return self._environment.schema

    @property
    def database(self) -> Database:
        """The worker's pool; its connections for handlers are shared by all of them."""
        return self._environment.database

    @property
    def queue_name(self) -> str | None:
        """The named queue of the job."""
        return self._claimed.queue_name

    @property
    def logger(self) -> JobLogger:
        """A logger whose records carry `job_id`, `task_identifier` and `attempt`."""
        extra = {
            "job_id": self._claimed.id,
            "task_identifier": self._task_identifier,
            "attempt": self._claimed.attempts,
        }
        return logging.LoggerAdapter(_job_logger, extra)

    def get_ext(self, kind: type[T]) -> T:
        """The extension of this type that the worker was given.

        Raises:
            LookupError: it was given none.
        """
        try:
            found = self._environment.extensions[kind]
        except KeyError:
            raise LookupError(
                f"no extension of type {kind.__qualname__}; give the worker one: "
                "WorkerOptions(extensions=[…])"
            ) from None
        assert isinstance(found, kind)  # noqa: S101 (keyed by type)
        return found

    def _begin(self) -> JobTransaction:
        if self._is_batch:
            raise RuntimeError(
                "ctx.transaction() completes the whole job, and a batch task may complete a part "
                "of it; use a task of one payload"
            )
        if self._environment.claims_are_row_locks:
            raise RuntimeError(
                "ctx.transaction() completes the job, whose row is locked by another transaction "
                "of this worker; it needs a worker with claim_mode='lock'"
            )
        if self._transaction is not None:
            raise RuntimeError(
                f"ctx.transaction() completes the job, so it works once a run; it was already used "
                f"for job {self._claimed.id}"
            )
        self._transaction = JobTransaction()
        return self._transaction

    def _completion(self) -> Statement[bool]:
        environment = self._environment
        return complete_in_transaction(
            Schema(environment.schema), worker_id=environment.identity.id, job=self._claimed
        )


class WorkerContext(_Context):
    """The context of an async handler."""

    __slots__ = ("_adds_to",)

    def __init__(
        self,
        claimed: ClaimedJob,
        task_identifier: str,
        environment: Environment,
        *,
        is_batch: bool = False,
    ) -> None:
        super().__init__(claimed, task_identifier, environment, is_batch=is_batch)
        self._adds_to = environment.utils

    @property
    def utils(self) -> WorkerUtils:
        """Adds and manages jobs, on the worker's pool."""
        return self._environment.utils

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Any]:
        """A transaction of yours that completes the job: both are committed together, or neither.

        The connection is one of the worker's pool, which all handlers share; `add_job` and its kin
        use it while it is open. Once a run. An exception inside rolls back and is a failure as any
        other (`Snooze` snoozes). After the commit the job is done; what is raised then is logged.

        Yields:
            The driver's own connection (asyncpg's by default), on the search path of its role.

        Raises:
            JobLostError: at the end: the job is no longer held by this worker; rolled back.
            RuntimeError: the second one in this run, or a batch task.
            DatabaseError: no connection became free, or the commit failed.

        Example:
            async with ctx.transaction() as connection:
                await connection.execute("update accounts set …")
        """
        transaction, environment = self._begin(), self._environment
        async with environment.database.connection() as connection:
            async with connection.transaction(lent=True):
                self._adds_to = environment.utils.with_executor(connection)
                try:
                    yield connection.raw
                finally:
                    self._adds_to = environment.utils
                if not await connection.run(self._completion()):
                    raise JobLostError(self._claimed.id, environment.identity.id)
            transaction.is_committed = True

    @property
    def shutting_down(self) -> asyncio.Event:
        """Set when the worker stops taking jobs: a long handler should come to an end."""
        return self._environment.shutdown.draining

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
        """See `WorkerUtils.add_job`."""
        return await self._adds_to.add_job(task, payload, spec)

    async def add_raw_job(
        self, identifier: str, payload: Any = None, spec: JobSpec | None = None
    ) -> Job:
        """See `WorkerUtils.add_raw_job`."""
        return await self._adds_to.add_raw_job(identifier, payload, spec)

    @overload
    async def add_jobs(self, task: Iterable[NewJob], /) -> list[Job]: ...
    @overload
    async def add_jobs(
        self, task: JobDefinition[P], payloads: Iterable[P], spec: JobSpec | None = None
    ) -> list[Job]: ...
    async def add_jobs(
        self, task: Any, payloads: Iterable[Any] | None = None, spec: JobSpec | None = None
    ) -> list[Job]:
        """See `WorkerUtils.add_jobs`."""
        return await self._adds_to.add_jobs(jobs_of(task, payloads, spec))

    async def add_raw_jobs(self, specs: Iterable[RawJobSpec]) -> list[Job]:
        """See `WorkerUtils.add_raw_jobs`."""
        return await self._adds_to.add_raw_jobs(specs)

    async def add_batch_job(
        self, task: JobDefinition[list[I]], items: Iterable[I], spec: JobSpec | None = None
    ) -> Job:
        """See `WorkerUtils.add_batch_job`."""
        return await self._adds_to.add_batch_job(task, items, spec)


class SyncWorkerContext(_Context):
    """The context of a handler that runs in a thread: the same names without `await`.

    Calls go through the worker's event loop and block the calling thread.
    """

    __slots__ = ("_inside",)

    def __init__(
        self,
        claimed: ClaimedJob,
        task_identifier: str,
        environment: Environment,
        *,
        is_batch: bool = False,
    ) -> None:
        super().__init__(claimed, task_identifier, environment, is_batch=is_batch)
        self._inside: SyncWorkerUtils | None = None

    @property
    def utils(self) -> SyncWorkerUtils:
        """Adds and manages jobs, on the worker's pool."""
        environment = self._environment
        return environment.sync_utils(DatabaseInLoop(environment.database, environment.loop))

    @property
    def shutting_down(self) -> threading.Event:
        """Set when the worker stops taking jobs: a long handler should come to an end."""
        return self._environment.shutdown.draining_in_threads

    @contextmanager
    def transaction(self) -> Generator[Any]:
        """As `WorkerContext.transaction`, over psycopg (the extra `psycopg`).

        The connections are the worker's own, at most one for each thread, on top of `max_pg_conn`.

        Yields:
            A `psycopg.Connection`.

        Raises:
            MissingDependencyError: psycopg is not installed.
            ConfigurationError: the worker has a pool of the caller's and no URL.
            JobLostError: at the end: the job is no longer held by this worker; rolled back.
            RuntimeError: the second one in this run, or a batch task.
            DatabaseError: there is no connection, or the commit failed.
        """
        transaction, environment = self._begin(), self._environment
        with environment.sync_database().connection() as connection:
            with connection.transaction(lent=True):
                self._inside = environment.sync_utils(connection)
                try:
                    yield connection.raw
                finally:
                    self._inside = None
                if not connection.run(self._completion()):
                    raise JobLostError(self._claimed.id, environment.identity.id)
            transaction.is_committed = True

    @overload
    def add_job(
        self, task: JobDefinition[None], payload: None = None, spec: JobSpec | None = None
    ) -> Job: ...
    @overload
    def add_job(self, task: JobDefinition[P], payload: P, spec: JobSpec | None = None) -> Job: ...
    @overload
    def add_job(
        self, task: type[TaskClass], payload: TaskClass, spec: JobSpec | None = None
    ) -> Job: ...
    def add_job(self, task: Any, payload: Any = None, spec: JobSpec | None = None) -> Job:
        """See `WorkerUtils.add_job`."""
        if self._inside is not None:
            return self._inside.add_job(task, payload, spec)
        return self._wait(self._environment.utils.add_job(task, payload, spec))

    def add_raw_job(self, identifier: str, payload: Any = None, spec: JobSpec | None = None) -> Job:
        """See `WorkerUtils.add_raw_job`."""
        if self._inside is not None:
            return self._inside.add_raw_job(identifier, payload, spec)
        return self._wait(self._environment.utils.add_raw_job(identifier, payload, spec))

    @overload
    def add_jobs(self, task: Iterable[NewJob], /) -> list[Job]: ...
    @overload
    def add_jobs(
        self, task: JobDefinition[P], payloads: Iterable[P], spec: JobSpec | None = None
    ) -> list[Job]: ...
    def add_jobs(
        self, task: Any, payloads: Iterable[Any] | None = None, spec: JobSpec | None = None
    ) -> list[Job]:
        """See `WorkerUtils.add_jobs`."""
        return self._add_made(jobs_of(task, payloads, spec))

    def add_raw_jobs(self, specs: Iterable[RawJobSpec]) -> list[Job]:
        """See `WorkerUtils.add_raw_jobs`."""
        return self._add_made(map(raw, specs))

    def add_batch_job(
        self, task: JobDefinition[list[I]], items: Iterable[I], spec: JobSpec | None = None
    ) -> Job:
        """See `WorkerUtils.add_batch_job`."""
        if self._inside is not None:
            return self._inside.add_batch_job(task, items, spec)
        items = list(items)  # as in `_add_made`
        return self._wait(self._environment.utils.add_batch_job(task, items, spec))

    def _add_made(self, jobs: Iterable[NewJob]) -> list[Job]:
        if self._inside is not None:
            return self._inside.add_jobs(jobs)
        # Jobs are made here: a generator may block or use this context, and the loop must not wait.
        made = list(jobs)
        return self._wait(self._environment.utils.add_jobs(made))

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._environment.loop).result()
