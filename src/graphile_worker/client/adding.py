"""The calls of `WorkerUtils` that add jobs."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, TypeVar, overload

from graphile_worker.client.calls import Calls
from graphile_worker.client.new_jobs import batch_of, jobs_of, raw
from graphile_worker.client.operations.adding import Batch, add_many, add_one, batch, store
from graphile_worker.client.streaming import (
    checked_chunk_size,
    chunks_of_either,
    store_ahead,
    store_in_turn,
)
from graphile_worker.jobs.definition import JobDefinition, TaskClass, as_definition
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import NewJob, RawJobSpec
from graphile_worker.jobs.spec import JobSpec

P = TypeVar("P")
I = TypeVar("I")  # noqa: E741 (an item)


class AddsJobs(Calls):
    """Adds jobs."""

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
        return await self._run(add_one(self._setup, as_definition(task).job(payload, spec)))

    async def add_raw_job(
        self, identifier: str, payload: Any = None, spec: JobSpec | None = None
    ) -> Job:
        """Add a job by the name of its task; any JSON payload, `None` is stored as `{}`."""
        job = raw(RawJobSpec(identifier, payload, spec or JobSpec()))
        return await self._run(add_one(self._setup, job))

    async def add_batch_job(
        self, task: JobDefinition[list[I]], items: Iterable[I], spec: JobSpec | None = None
    ) -> Job:
        """Add one job of a batch task with these items as its payload.

        Adding again with the same key while the job waits appends the items.

        Raises:
            PayloadError: an item is not what the task takes.
            JobScheduleFailed: there are no items.
        """
        return await self._run(add_one(self._setup, batch_of(task, items, spec), "add_batch_job"))

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

        Jobs with the same key are taken in order, as if added one by one. After 10,000 or more the
        planner's statistics are brought up to date.

        Returns:
            The jobs in the order given.

        Raises:
            PayloadError: a payload does not fit; nothing was stored.
            JobScheduleFailed: a job asks for `JobKeyMode.UNSAFE_DEDUPE`; nothing was stored.
            JobNotAddedError: a job was not stored, see there; neither were the others.
        """
        return await self._add_many(jobs_of(task, payloads, spec))

    async def add_raw_jobs(self, specs: Iterable[RawJobSpec]) -> list[Job]:
        """Add many jobs by the names of their tasks; otherwise as `add_jobs`."""
        return await self._add_many(map(raw, specs))

    async def add_jobs_stream(
        self,
        jobs: Iterable[NewJob] | AsyncIterable[NewJob],
        *,
        chunk_size: int = 5000,
        on_stored: Callable[[int], object] | None = None,
    ) -> int:
        """Add any number of jobs without holding them in memory.

        Each chunk is a transaction; on a connection of the caller's all of them are part of the
        caller's. Where the source fails, the full chunks before are stored, and the error is
        raised.

        Args:
            jobs: a generator or an async generator, of what `task.job(…)` makes. It may use the
                database itself.
            chunk_size: so many jobs go to the database at once.
            on_stored: told, after each chunk, how many jobs were added so far.

        Returns:
            How many jobs were added.

        Raises:
            ConfigurationError: the source gave something else than a job, or the chunk is too
                small.
            JobScheduleFailed, JobNotAddedError: as `add_jobs`, for the chunk at hand.
        """
        chunks = chunks_of_either(jobs, checked_chunk_size(chunk_size))
        store_all = store_in_turn if self._is_bound else store_ahead
        store = self._store if on_stored is None else _telling(self._store, on_stored)
        added = await store_all(chunks, partial(batch, self._setup), store)
        await self._refresh_statistics(added)
        return added

    async def _add_many(self, new: Iterable[NewJob]) -> list[Job]:
        prepared = self._setup.prepared(new)
        added = await self._run_together(partial(add_many, self._setup, prepared))
        await self._refresh_statistics(len(added))
        return added

    async def _store(self, ready: Batch) -> int:
        return await self._run_together(partial(store, ready))


def _telling(
    store: Callable[[Batch], Coroutine[Any, Any, int]], on_stored: Callable[[int], object]
) -> Callable[[Batch], Coroutine[Any, Any, int]]:
    """Store, and tell how many jobs that makes."""
    total = 0

    async def store_and_tell(ready: Batch) -> int:
        nonlocal total
        added = await store(ready)
        total += added
        on_stored(total)
        return added

    return store_and_tell
