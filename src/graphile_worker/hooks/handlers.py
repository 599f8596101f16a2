"""The handlers of one event of one worker: telling observers, asking interceptors.

Whatever a handler does, its caller goes on: what it raises is logged under its name, and one that
hangs is given up after the timeout.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from graphile_worker.hooks.events import InterceptorEvent, ObserverEvent
from graphile_worker.runtime.log_fields import log_fields

logger = logging.getLogger(__name__)

O = TypeVar("O", bound=ObserverEvent)  # noqa: E741 (an observer event)
E = TypeVar("E", bound=InterceptorEvent)
A = TypeVar("A")

USUAL_TIMEOUT: Final = timedelta(seconds=10)
"""How long a handler may take, unless a worker's options say otherwise."""


class Observers(Generic[O]):
    """The handlers of an observer event.

    Calling it calls them all. A plain function has ended by then; coroutines are returned as one
    awaitable, in which they run beside each other. None: there is nothing to await, which is what
    makes plain functions cheap.
    """

    __slots__ = ("_handlers", "_timeout")

    def __init__(self, handlers: Iterable[Callable[[O], object]], timeout: float) -> None:
        self._handlers = tuple(handlers)
        self._timeout = timeout

    def __call__(self, event: O) -> Awaitable[None] | None:
        """Tell all; never raises."""
        slow: list[Awaitable[None]] | None = None
        for handler in self._handlers:
            try:
                answer = handler(event)
            except BaseException as error:  # noqa: BLE001 (the edge to foreign code)
                log_failure(handler, event, error)
                continue
            if answer is not None and inspect.isawaitable(answer):
                slow = slow or []
                slow.append(self._watched(handler, event, answer))
        if slow is None:
            return None
        return slow[0] if len(slow) == 1 else _all(slow)

    async def _watched(
        self, handler: Callable[[O], object], event: O, answer: Awaitable[object]
    ) -> None:
        try:
            await within(self._timeout, answer)
        except BaseException as error:
            if _is_ours(error):
                raise
            log_failure(handler, event, error)


class Interceptors(Generic[E, A]):
    """The handlers of an interceptor event, asked in the order of their registration.

    Args:
        handlers: what was registered.
        timeout: seconds that each has.
        no_opinion: the answer that lets the next one decide, as None does.
        when_raised: the answer of a handler that raised or hung, from the reason.
    """

    __slots__ = ("_handlers", "_no_opinion", "_timeout", "_when_raised")

    def __init__(
        self,
        handlers: Iterable[Callable[[E], object]],
        timeout: float,
        *,
        no_opinion: A,
        when_raised: Callable[[str], A],
    ) -> None:
        self._handlers = tuple(handlers)
        self._timeout = timeout
        self._no_opinion = no_opinion
        self._when_raised = when_raised

    async def __call__(self, event: E, *, timeout: float | None = None) -> A:  # noqa: ASYNC109
        """The first answer that decides; raises only when it is cancelled.

        Args:
            event: what to ask about.
            timeout: seconds for each handler, where there is less time than usual.
        """
        limit = self._timeout if timeout is None else min(timeout, self._timeout)
        for handler in self._handlers:
            answer = await self._ask(handler, event, limit)
            if answer != self._no_opinion:
                return answer
        return self._no_opinion

    async def _ask(self, handler: Callable[[E], object], event: E, limit: float) -> A:
        try:
            answer = handler(event)
            if inspect.isawaitable(answer):
                answer = await within(limit, answer)
            return checked(answer, self._no_opinion)
        except BaseException as error:
            if _is_ours(error):
                raise
            log_failure(handler, event, error)
            return self._when_raised(reason_of(error))


def checked(answer: object, no_opinion: A) -> A:
    """The answer, None taken for no opinion.

    Raises:
        TypeError: it is of another type than the event asks for.
    """
    if answer is None:
        return no_opinion
    if not isinstance(answer, type(no_opinion)):
        expected = type(no_opinion).__name__
        raise TypeError(f"a hook answered {answer!r}; expected {expected} or None")
    return answer


async def within(limit: float, answer: Awaitable[Any]) -> Any:
    """Await a handler, but no longer than `limit` seconds.

    Raises:
        TimeoutError: it took longer; its own `TimeoutError`s pass as they are.
    """
    deadline = asyncio.timeout(limit)
    try:
        async with deadline:
            return await answer
    except TimeoutError:
        if deadline.expired():
            raise TimeoutError(f"the hook did not end within {limit:g} s") from None
        raise


def reason_of(error: BaseException) -> str:
    """What a handler raised, as the reason it gave; the type when it gave none."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 (an exception's own code)
        return type(error).__name__


def log_failure(handler: object, event: object, error: BaseException) -> None:
    """Say which hook failed, and how; a hang needs no traceback."""
    log_fields(
        logger,
        logging.ERROR,
        "the hook %s failed at %s: %s",
        name_of(handler),
        type(event).__name__,
        reason_of(error),
        error=None if isinstance(error, TimeoutError) else error,
    )


def name_of(handler: object) -> str:
    """Where a handler is defined, as logs name it."""
    named: Any = handler if hasattr(handler, "__qualname__") else type(handler)
    return f"{named.__module__}.{named.__qualname__}"


def _is_ours(error: BaseException) -> bool:
    """Whether somebody cancels the task that waits for the hook, and not the hook itself."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


async def _all(waits: list[Awaitable[None]]) -> None:
    await asyncio.gather(*waits)
