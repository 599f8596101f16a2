"""Which jobs are running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from graphile_worker.jobs.claimed_job import ClaimedJob


class Slots:
    """Runs each job in an asyncio task of its own, so that none sees another's context variables.

    Owns those tasks: each ends by itself or by `cancel_all`, and is kept alive until then.
    """

    def __init__(
        self,
        concurrency: int,
        run: Callable[[ClaimedJob], Coroutine[Any, Any, None]],
        on_free: Callable[[], None],
    ) -> None:
        self._concurrency = concurrency
        self._run = run
        self._on_free = on_free
        self._tasks: dict[asyncio.Task[None], ClaimedJob] = {}
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> list[ClaimedJob]:
        """The jobs whose handlers have not ended."""
        return list(self._tasks.values())

    def job_of(self, task: asyncio.Task[Any]) -> ClaimedJob | None:
        """The job that an asyncio task runs. May be asked from any thread."""
        return self._tasks.get(task)

    @property
    def free(self) -> int:
        """How many more jobs may start."""
        return self._concurrency - len(self._tasks)

    def start(self, claimed: ClaimedJob) -> None:
        """Run a job. Its `run` must not raise."""
        task = self._loop.create_task(self._run(claimed))
        self._tasks[task] = claimed
        self._idle.clear()
        task.add_done_callback(self._ended)

    async def wait_idle(self) -> None:
        """Wait until no job runs."""
        await self._idle.wait()

    def cancel_all(self) -> None:
        """Cancel every handler that still runs."""
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not self._tasks:
            self._idle.set()
        self._on_free()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler(
                {"message": "the run of a job raised, which is a bug", "exception": error}
            )
