"""Processes for handlers that need a CPU for themselves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import lru_cache
from typing import Final, assert_never

from graphile_worker.errors import (
    GraphileWorkerError,
    PayloadError,
    PermanentFailure,
    Snooze,
)
from graphile_worker.worker.call_result import CallResult, Raised, Returned
from graphile_worker.worker.process_handle import ProcessHandle, ProcessLost
from graphile_worker.worker.process_protocol import (
    Done,
    Failed,
    FailedForGood,
    Misfit,
    Result,
    Snoozed,
)
from graphile_worker.worker.task_path import TaskPath

_STARTS: Final = 3
"""How many processes may die one after the other before they have begun with a call."""
_SECONDS_TO_END: Final = 2.0
"""How long an idle process may take to end, with what its modules do at exit."""


class RemoteError(Exception):
    """What a handler raised in its process; its own class has the name of the original's."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback
        """As the process printed it."""
        if traceback:
            self.add_note(f"In the process that ran it:\n{traceback.rstrip()}")


class ProcessDiedError(GraphileWorkerError):
    """The process that ran a handler ended under it: a crash, `os._exit`, or out of memory."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """The exit code; negative for a signal, None where it is not known."""


class ProcessPool:
    """At most `size` processes, started when needed and kept until `aclose`.

    Each is a fresh interpreter (nothing is forked), finds the task by its path, and gets the
    payload as JSON text. One that exceeds its time is killed, and so are the programs its handler
    started; a new one is started for the next call. All of them end when this process does,
    however it ends. To be used on one event loop.

    Args:
        size: the greatest number of processes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = asyncio.Semaphore(size)
        self._processes: set[ProcessHandle] = set()
        self._idle: list[ProcessHandle] = []
        self._closed = False

    async def call(
        self,
        path: TaskPath,
        payload: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 (counts only from when a process is free)
    ) -> CallResult[None]:
        """Run the task at `path` in a process; `payload` is JSON text.

        Args:
            path: the task, see `task_path`.
            payload: passed as it is, decoded there.
            timeout: seconds; waiting for a free place is not counted, starting a process and
                importing the task's module are.

        Cancel safety: a call that is cancelled kills the process that runs it.

        Raises:
            TimeoutError: it took too long; its text is the timeout, like `120 s`.
            RuntimeError: the pool is closed.
        """
        async with self._free:
            deadline = asyncio.timeout(timeout)
            try:
                async with deadline:
                    return await self._run(path, payload)
            except TimeoutError:
                raise TimeoutError(f"{timeout:g} s") from None

    async def aclose(self, grace: float = 0.0) -> None:
        """End the processes: idle ones at once, busy ones after their calls.

        Those still busy after `grace` seconds are killed; their calls answer with
        `ProcessDiedError`.

        Cancel safety: a cancelled `aclose` kills them all at once.
        """
        self._closed = True
        try:
            self._finish_idle()
            if self._busy():
                await _wait(self._busy(), grace)
            for process in self._busy():
                process.kill()
            await _wait(self._processes, _SECONDS_TO_END)
        finally:
            for process in self._processes:
                process.kill()
        await _wait(self._processes, None)

    async def _run(self, path: TaskPath, payload: str) -> CallResult[None]:
        starts = 0
        while True:
            starts += 1
            process = await self._take()
            try:
                answer = await process.ask(path, payload)
            except ProcessLost as lost:
                # One that died while it was idle, or before it was ready, has run nothing yet.
                if lost.started or process.killed or starts == _STARTS:
                    text = f"the process that ran it {lost.how}"
                    return Raised(ProcessDiedError(text, lost.code))
            except BaseException:
                process.kill()
                raise
            else:
                self._give_back(process)
                return _result(answer)

    async def _take(self) -> ProcessHandle:
        while not self._closed:
            if self._idle:
                return self._idle.pop()
            if len(self._processes) < self.size:
                process = ProcessHandle(self._forget)
                self._processes.add(process)
                return process
            # There is a free place, so one of them has been killed and is about to be gone.
            await asyncio.wait(
                {process.exited for process in self._processes},
                return_when=asyncio.FIRST_COMPLETED,
            )
        raise RuntimeError("this process pool is closed")

    def _give_back(self, process: ProcessHandle) -> None:
        if not process.exited.done():
            self._idle.append(process)
        if self._closed:
            self._finish_idle()

    def _forget(self, process: ProcessHandle) -> None:
        self._processes.discard(process)
        if process in self._idle:
            self._idle.remove(process)

    def _finish_idle(self) -> None:
        while self._idle:
            self._idle.pop().finish()

    def _busy(self) -> set[ProcessHandle]:
        return {process for process in self._processes if process.asking}


async def _wait(processes: set[ProcessHandle], seconds: float | None) -> None:
    if processes:
        await asyncio.wait({process.exited for process in processes}, timeout=seconds)


def _result(answer: Result) -> CallResult[None]:
    match answer:
        case Done():
            return Returned(None)
        case Snoozed(seconds=seconds):
            return Raised(Snooze(timedelta(seconds=seconds)))
        case FailedForGood(reason=reason):
            return Raised(PermanentFailure(reason))
        case Misfit(message=message):
            return Raised(PayloadError(message))
        case Failed(type_name=type_name, message=message, traceback=traceback):
            return Raised(_remote_class(type_name)(message, traceback))
        case _:
            assert_never(answer)


@lru_cache(maxsize=256)
def _remote_class(type_name: str) -> type[RemoteError]:
    """A class by the name of the original, so that whoever prints the error prints that name."""
    return type(type_name, (RemoteError,), {"__module__": __name__})
