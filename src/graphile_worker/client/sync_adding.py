"""The calls of `SyncWorkerUtils` that add jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar, overload

from graphile_worker.client.calls import SyncCalls
from graphile_worker.client.new_jobs import batch_of, jobs_of, raw
from graphile_worker.client.operations.adding import add_many, add_one, batch, store
from graphile_worker.client.streaming import checked_chunk_size, chunks
from graphile_worker.jobs.definition import JobDefinition, TaskClass, as_definition
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import NewJob, RawJobSpec
from graphile_worker.jobs.spec import JobSpec

P = TypeVar("P")
I = TypeVar("I")  # noqa: E741 (an item)


class SyncAddsJobs(SyncCalls):
    """Adds jobs; arguments, answers and errors are those of `WorkerUtils`."""

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
        """Add a job of a task; see `WorkerUtils.add_job`."""
        return self._run(add_one(self._setup, as_definition(task).job(payload, spec)))

    def add_raw_job(self, identifier: str, payload: Any = None, spec: JobSpec | None = None) -> Job:
        """Add a job by the name of its task; any JSON payload, `None` is stored as `{}`."""
        job = raw(RawJobSpec(identifier, payload, spec or JobSpec()))
        return self._run(add_one(self._setup, job))

    def add_batch_job(
        self, task: JobDefinition[list[I]], items: Iterable[I], spec: JobSpec | None = None
    ) -> Job:
        """Add one job of a batch task with these items; see `WorkerUtils.add_batch_job`."""
        return self._run(add_one(self._setup, batch_of(task, items, spec), "add_batch_job"))

    @overload
    def add_jobs(self, task: Iterable[NewJob], /) -> list[Job]: ...
    @overload
    def add_jobs(
        self, task: JobDefinition[P], payloads: Iterable[P], spec: JobSpec | None = None
    ) -> list[Job]: ...
    def add_jobs(
        self, task: Any, payloads: Iterable[Any] | None = None, spec: JobSpec | None = None
    ) -> list[Job]:
        """Add many jobs in one transaction; see `WorkerUtils.add_jobs`."""
        return self._add_many(jobs_of(task, payloads, spec))

    def add_raw_jobs(self, specs: Iterable[RawJobSpec]) -> list[Job]:
        """Add many jobs by the names of their tasks; otherwise as `add_jobs`."""
        return self._add_many(map(raw, specs))

    def add_jobs_stream(
        self,
        jobs: Iterable[NewJob],
        *,
        chunk_size: int = 5000,
        on_stored: Callable[[int], object] | None = None,
    ) -> int:
        """Add any number of jobs in flat memory; see `WorkerUtils.add_jobs_stream`."""
        added = 0
        for chunk in chunks(jobs, checked_chunk_size(chunk_size)):
            added += self._run_together(partial(store, batch(self._setup, chunk)))
            if on_stored is not None:
                on_stored(added)
        self._refresh_statistics(added)
        return added

    def _add_many(self, new: Iterable[NewJob]) -> list[Job]:
        prepared = self._setup.prepared(new)
        added = self._run_together(partial(add_many, self._setup, prepared))
        self._refresh_statistics(len(added))
        return added
