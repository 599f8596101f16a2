"""Who wants to know, and who has a say."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, TypeVar, overload

from graphile_worker.errors import ConfigurationError
from graphile_worker.hooks.answers import HookResult, JobRecoveryResult, JobScheduleResult
from graphile_worker.hooks.events import (
    AfterJobRun,
    BeforeJobRun,
    BeforeJobSchedule,
    InterceptorEvent,
    JobRecovery,
    ObserverEvent,
)
from graphile_worker.jobs.new_job import NewJob

O = TypeVar("O", bound=ObserverEvent)  # noqa: E741 (an observer event)
R = TypeVar("R", BeforeJobRun, AfterJobRun)
H = TypeVar("H", bound=Callable[..., object])

Observe: TypeAlias = Callable[[O], Awaitable[None] | None]
"""A handler of something that happened: plain or async."""
InterceptRun: TypeAlias = Callable[[R], Awaitable[HookResult | None] | HookResult | None]
"""A handler that is asked about a run."""
InterceptSchedule: TypeAlias = Callable[[BeforeJobSchedule], JobScheduleResult | None]
"""A handler that is asked about a job to be added; never async."""
InterceptRecovery: TypeAlias = Callable[
    [JobRecovery], Awaitable[JobRecoveryResult | None] | JobRecoveryResult | None
]
"""A handler that is asked about a job to be handed back."""


AroundAdding: TypeAlias = Callable[
    [str, Sequence[NewJob]], AbstractContextManager[Sequence[NewJob]]
]
"""Wraps the statement that adds jobs, for tracing; entered after `BeforeJobSchedule`.

From what is done (`add_job`, `add_jobs`, `add_batch_job`) and the jobs, to the jobs as stored."""


class HookRegistry:
    """Handlers by event, in the order in which they were registered.

    A worker reads it once, when it is made by `init()`; utils read it with every job they add. It
    may serve several of them.

    Example:
        hooks = HookRegistry()

        @hooks.on(JobFail)
        async def alert(event: JobFail) -> None:
            await page(f"{event.job.task_identifier}: {event.error}")

        WorkerOptions(database_url=url, tasks=tasks, hooks=hooks)
    """

    def __init__(self) -> None:
        self._handlers: dict[type, list[Callable[..., Any]]] = {}
        self.plugins: list[Plugin] = []
        """Those that have registered here."""
        self.around_adding: list[AroundAdding] = []
        """What wraps the adding of jobs, outermost first."""
        self.watches_queue = False
        """Whether a plugin looks at the queue, for which one process of all has a connection."""

    @overload
    def on(self, event: type[O], handler: Observe[O]) -> Observe[O]: ...
    @overload
    def on(self, event: type[R], handler: InterceptRun[R]) -> InterceptRun[R]: ...
    @overload
    def on(
        self, event: type[BeforeJobSchedule], handler: InterceptSchedule
    ) -> InterceptSchedule: ...
    @overload
    def on(self, event: type[JobRecovery], handler: InterceptRecovery) -> InterceptRecovery: ...
    @overload
    def on(self, event: type[O]) -> Callable[[Observe[O]], Observe[O]]: ...
    @overload
    def on(self, event: type[R]) -> Callable[[InterceptRun[R]], InterceptRun[R]]: ...
    @overload
    def on(
        self, event: type[BeforeJobSchedule]
    ) -> Callable[[InterceptSchedule], InterceptSchedule]: ...
    @overload
    def on(self, event: type[JobRecovery]) -> Callable[[InterceptRecovery], InterceptRecovery]: ...
    def on(self, event: Any, handler: Any = None) -> Any:
        """Call a handler at an event; without a handler, a decorator for one.

        Args:
            event: the class of the event.
            handler: takes the event. An observer answers nothing, an interceptor an answer or
                None. It may be async, but at `BeforeJobSchedule`, where sync clients call it too.

        Returns:
            The handler.

        Raises:
            ConfigurationError: no such event, no such handler.
        """
        _check_event(event)
        if handler is None:
            return functools.partial(self._add, event)
        return self._add(event, handler)

    def add_plugin(self, plugin: Plugin) -> None:
        """Let a plugin register its handlers.

        Raises:
            ConfigurationError: it has no `register`.
        """
        check_plugin(plugin)
        plugin.register(self)
        self.plugins.append(plugin)

    def handlers(self, event: type) -> tuple[Callable[..., Any], ...]:
        """The handlers of an event, in order."""
        return tuple(self._handlers.get(event, ()))

    def copy(self) -> HookRegistry:
        """Another one with the same handlers."""
        copied = HookRegistry()
        copied._handlers = {event: [*found] for event, found in self._handlers.items()}
        copied.plugins = [*self.plugins]
        copied.around_adding = [*self.around_adding]
        copied.watches_queue = self.watches_queue
        return copied

    def _add(self, event: type, handler: H) -> H:
        _check_handler(event, handler)
        self._handlers.setdefault(event, []).append(handler)
        return handler


class Plugin(Protocol):
    """Something that registers any number of handlers; often a class that shares state with them.

    Example:
        class Metrics(Plugin):
            def __init__(self) -> None:
                self.completed = 0

            def register(self, hooks: HookRegistry) -> None:
                hooks.on(JobComplete, self.count)

            def count(self, event: JobComplete) -> None:
                self.completed += 1
    """

    def register(self, hooks: HookRegistry) -> None:
        """Register the handlers; called once for each worker."""


def registry_of(hooks: HookRegistry | None, plugins: Iterable[Plugin]) -> HookRegistry:
    """A registry with the handlers of another, and then those of plugins."""
    registry = HookRegistry() if hooks is None else hooks.copy()
    for plugin in plugins:
        registry.add_plugin(plugin)
    return registry


def check_plugin(plugin: object) -> None:
    """Refuse what cannot register anything.

    Raises:
        ConfigurationError: it is a class, or has no `register`.
    """
    if isinstance(plugin, type):
        raise ConfigurationError(
            f"a plugin is an object, got the class {plugin.__qualname__}: write "
            f"{plugin.__qualname__}()"
        )
    if not callable(getattr(plugin, "register", None)):
        raise ConfigurationError(f"a plugin has a method register(hooks), which {plugin!r} has not")


def _check_event(event: object) -> None:
    bases = (ObserverEvent, InterceptorEvent)
    if not isinstance(event, type) or not issubclass(event, bases) or event in bases:
        raise ConfigurationError(
            f"on() takes the class of an event first, such as JobComplete; got {event!r}"
        )


def _check_handler(event: type, handler: object) -> None:
    if not callable(handler):
        raise ConfigurationError(
            f"the handler of {event.__name__} must be a function, got {handler!r}"
        )
    if event is BeforeJobSchedule and _is_async(handler):
        raise ConfigurationError(
            "the handler of BeforeJobSchedule must be a plain function: sync clients, which have "
            "no event loop, call it too"
        )


def _is_async(handler: object) -> bool:
    call = getattr(handler, "__call__", None)  # noqa: B004 (its kind, not whether there is one)
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)
