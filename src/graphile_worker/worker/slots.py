"""Which jobs are running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from graphile_worker.jobs.claimed_job import ClaimedJob


class Slots:
    """Runs each job in an asyncio task of its own, so that none sees another's context variables.

    Owns those tasks. A job says itself that it has ended (`ended`), as the last thing it does: by
    the time its task is over, its slot has been claimed for anew.

    Collaborators: `run` runs a job and must call `ended`; `on_free` hears of each free slot;
    `on_never_run` takes a job whose task was cancelled before it began.
    """

    def __init__(
        self,
        concurrency: int,
        run: Callable[[ClaimedJob], Coroutine[Any, Any, None]],
        *,
        on_free: Callable[[], None],
        on_never_run: Callable[[ClaimedJob], None],
    ) -> None:
        self.free = concurrency
        """How many more jobs may start; below zero where more are reserved than were free."""
        self._on_free = on_free
        self._on_never_run = on_never_run
        # By the identity of the claim: a job that was taken from us and claimed again is another.
        self._running: dict[int, tuple[ClaimedJob, asyncio.Task[None]]] = {}
        loop = asyncio.get_running_loop()
        self._run = run
        self._task: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
        if loop.get_task_factory() is None:
            # Without the loop's own detour, where nobody else has a say in how tasks are made.
            self._task = partial(asyncio.Task, loop=loop)
        else:
            # An eager factory runs a job while its task is made: it would end before it is known.
            self._run = partial(_run_later, run)
            self._task = loop.create_task
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> list[ClaimedJob]:
        """The jobs whose handlers have not ended."""
        return [job for job, _ in self._running.values()]

    def job_of(self, task: asyncio.Task[Any]) -> ClaimedJob | None:
        """The job that an asyncio task runs. May be asked from any thread."""
        return next((job for job, own in tuple(self._running.values()) if own is task), None)

    def reserve(self) -> None:
        """Keep a slot from being used, be it free or about to be."""
        self.free -= 1

    def unreserve(self) -> None:
        """It may be used again; the caller sees to that."""
        self.free += 1

    def start(self, job: ClaimedJob) -> None:
        """Run a job."""
        if not self._running:
            self._idle.clear()
        self.free -= 1
        self._running[id(job)] = (job, self._task(self._run(job)))

    def ended(self, job: ClaimedJob) -> None:
        """A job has ended; its slot is free. A second call for the same does nothing."""
        if self._running.pop(id(job), None) is None:
            return
        self.free += 1
        if not self._running:
            self._idle.set()
        self._on_free()

    async def wait_idle(self) -> None:
        """Wait until no job runs."""
        await self._idle.wait()

    def cancel_all(self) -> None:
        """Cancel every handler that still runs."""
        for job, task in tuple(self._running.values()):
            task.add_done_callback(partial(self._never_run, job))
            task.cancel()

    def _never_run(self, job: ClaimedJob, _task: asyncio.Task[None]) -> None:
        """Its task is over, and if it did not say so itself, it had not even begun."""
        if id(job) in self._running:
            self._on_never_run(job)
            self.ended(job)


async def _run_later(
    run: Callable[[ClaimedJob], Coroutine[Any, Any, None]], job: ClaimedJob
) -> None:
    await asyncio.sleep(0)
    await run(job)
