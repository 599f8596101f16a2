"""Tasks that begin to run before whoever makes them goes on."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import types
from collections.abc import Coroutine, Generator
from typing import Any


def eager_task_factory(loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> asyncio.Task:
    """As `asyncio.eager_task_factory`, also where Python has none (before 3.12)."""
    if sys.version_info >= (3, 12):
        return asyncio.eager_task_factory(loop, coro, **more)
    begun = _Begun(coro)
    context = more.pop("context", None) or contextvars.copy_context()
    task = asyncio.Task(begun.rest(), loop=loop, context=context, **more)
    context.run(begun.step_as, task, loop)
    return task


class _Begun:
    """A coroutine whose first step is taken apart from the others."""

    def __init__(self, coro: Coroutine[Any, Any, Any]) -> None:
        self._coro = coro
        self._answer: Any = None
        self._end: BaseException | None = None

    def step_as(self, task: asyncio.Task, loop: asyncio.AbstractEventLoop) -> None:
        around = asyncio.current_task(loop)
        if around is not None:
            asyncio.tasks._leave_task(loop, around)
        asyncio.tasks._enter_task(loop, task)
        try:
            self._answer = self._coro.send(None)
        except BaseException as end:  # noqa: BLE001 (the task's, when it goes on)
            self._end = end
        finally:
            asyncio.tasks._leave_task(loop, task)
            if around is not None:
                asyncio.tasks._enter_task(loop, around)

    @types.coroutine
    def rest(self) -> Generator[Any, Any, Any]:
        try:
            if self._end is not None:
                raise self._end
            while True:
                try:
                    sent = yield self._answer
                except BaseException as error:  # noqa: BLE001 (a cancellation, or what it awaits)
                    self._answer = self._coro.throw(error)
                else:
                    self._answer = self._coro.send(sent)
        except StopIteration as end:
            return end.value
