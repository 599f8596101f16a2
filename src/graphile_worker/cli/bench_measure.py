"""What `bench` measures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from graphile_worker.cli.at_work import at_work
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.errors import DatabaseError
from graphile_worker.jobs.spec import JobSpec
from graphile_worker.local_queue.options import LocalQueueConfig
from graphile_worker.tasks.decorator import task
from graphile_worker.worker.options import WorkerOptions

_SAMPLES: Final = 200
"""Single jobs for what is measured job by job."""
_CHUNK: Final = 1000
_STUCK_AFTER: Final = 30.0
"""Seconds without a finished job, besides its own time, after which it is given up."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How measured times are spread, in seconds."""

    median: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        """From at least one time."""
        ordered = sorted(seconds)

        def at(part: float) -> float:
            return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

        return cls(median=at(0.5), p95=at(0.95), p99=at(0.99), longest=ordered[-1])

    def as_json(self) -> dict[str, float]:
        """In milliseconds, as the names say."""
        return {
            "median_ms": self.median * 1000,
            "p95_ms": self.p95 * 1000,
            "p99_ms": self.p99 * 1000,
            "longest_ms": self.longest * 1000,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """The measurements, on a schema that holds nothing else."""

    url: str
    schema: str
    jobs: int
    concurrency: int
    job_seconds: float

    async def take(self) -> AsyncGenerator[tuple[str, Spread | float]]:
        """Each as soon as it is known."""
        work = _Work(self.job_seconds)
        async with WorkerUtils.connect(self.url, schema=self.schema) as utils:
            yield "adding_one", await self._adding_one(utils)
            yield "adding_per_second", await self._adding(utils, work)
            yield "running_per_second", await self._running(work, None)
            await self._adding(utils, work)
        queue = LocalQueueConfig(size=max(100, 4 * self.concurrency))
        yield "running_with_local_queue_per_second", await self._running(work, queue)
        yield "latency", await self._latency()

    async def _adding_one(self, utils: WorkerUtils) -> Spread:
        """Jobs for tomorrow, which nobody runs."""
        seconds: list[float] = []
        tomorrow = JobSpec(run_at=timedelta(days=1))
        for number in range(_SAMPLES):
            started = time.monotonic()
            await utils.add_raw_job("bench", {"number": number}, tomorrow)
            seconds.append(time.monotonic() - started)
        return Spread.of(seconds)

    async def _adding(self, utils: WorkerUtils, work: _Work) -> float:
        started = time.monotonic()
        jobs = (work.task.job({"number": number}) for number in range(self.jobs))
        await utils.add_jobs_stream(jobs, chunk_size=_CHUNK)
        return self.jobs / (time.monotonic() - started)

    async def _running(self, work: _Work, queue: LocalQueueConfig | None) -> float:
        """From the first start until the last completion is stored, and the worker has ended."""
        work.expect(self.jobs)
        async with self._options([work.task], queue).init() as worker:
            async with at_work(worker):
                await work.finish()
            return self.jobs / (time.monotonic() - work.began)

    async def _latency(self) -> Spread:
        """One job at a time, so that each finds the worker idle."""
        seconds: list[float] = []
        started, arrived = 0.0, asyncio.Event()

        @task("bench_latency", payload=None)
        async def note() -> None:
            seconds.append(time.monotonic() - started)
            arrived.set()

        async with self._options([note], None).init() as worker, at_work(worker):
            utils = worker.create_utils()
            for _ in range(_SAMPLES):
                arrived.clear()
                started = time.monotonic()
                await utils.add_job(note)
                await arrived.wait()
        return Spread.of(seconds)

    def _options(self, tasks: list[Any], queue: LocalQueueConfig | None) -> WorkerOptions:
        return WorkerOptions(
            database_url=self.url,
            schema=self.schema,
            tasks=tasks,
            concurrency=self.concurrency,
            local_queue=queue,
            poll_interval=timedelta(seconds=1),
            max_pg_conn=8,
            listen_os_shutdown_signals=False,
        )


class _Work:
    """A task that counts its runs."""

    def __init__(self, seconds: float) -> None:
        self.began = 0.0
        self._done = asyncio.Event()
        self._left = 0
        self._patience = _STUCK_AFTER + seconds

        @task("bench")
        async def work(payload: dict[str, int]) -> None:
            del payload
            if not self.began:
                self.began = time.monotonic()
            if seconds:
                await asyncio.sleep(seconds)
            self._left -= 1
            if not self._left:
                self._done.set()

        self.task = work

    def expect(self, jobs: int) -> None:
        """Begin to count."""
        self._left, self.began = jobs, 0.0
        self._done.clear()

    async def finish(self) -> None:
        """Wait for the last run.

        Raises:
            DatabaseError: nothing moves any more.
        """
        while not self._done.is_set():
            before = self._left
            try:
                async with asyncio.timeout(self._patience):
                    await self._done.wait()
            except TimeoutError:
                if self._left == before:
                    raise DatabaseError(
                        f"nothing has moved for {self._patience:g} s, and {before} jobs are left"
                    ) from None
