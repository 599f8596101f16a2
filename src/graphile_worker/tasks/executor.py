"""Where a handler runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

from graphile_worker.errors import ConfigurationError

ExecutorKind: TypeAlias = Literal["async", "thread", "process"]
Executor: TypeAlias = Literal["auto", "async", "thread", "process"]


def executor_of(fn: Callable[..., Any], asked: Executor) -> ExecutorKind:
    """Where a handler runs: as asked, or an async one on the event loop and others in threads.

    Raises:
        ConfigurationError: it cannot run there, or it cannot be told where it can.
    """
    if asked not in get_args(Executor):
        known = ", ".join(repr(kind) for kind in get_args(Executor))
        raise ConfigurationError(f"executor must be one of {known}, got {asked!r}")
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise ConfigurationError("a handler must not yield: calling a generator runs nothing")
    if _is_async(fn):
        if asked in {"thread", "process"}:
            raise ConfigurationError(
                f"an async function cannot run with executor={asked!r}: make it a plain function"
            )
        return "async"
    if asked == "auto" and _is_async(inspect.unwrap(fn)):
        raise ConfigurationError(
            "a plain function that wraps an async one: make the wrapper async, or say "
            "executor='async' if it returns an awaitable, executor='thread' if it runs it"
        )
    if asked == "async" and fn is inspect.unwrap(fn):
        raise ConfigurationError(
            "a plain function cannot run with executor='async', where it would stop all other "
            "jobs: make it async, or leave executor out to run it in a thread"
        )
    return "thread" if asked == "auto" else asked


def _is_async(fn: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(
        getattr(type(fn), "__call__", None)  # noqa: B004 (not asked whether it is callable)
    )
