"""What a handler's annotations mean; looked at when a task is first used, not when it is defined.

By then every module is imported, so types may be defined below the task, or in modules that import
each other.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Final, ForwardRef, get_args, get_type_hints

CONTEXTS: Final = ("WorkerContext", "SyncWorkerContext")

_CONTEXT = re.compile(r"\b(?:Sync)?WorkerContext\b")
_CONTEXT_MODULE = "graphile_worker.tasks.context"


class UnresolvedError(Exception):
    """An annotation names something that is not there."""


def names_around(fn: Callable[..., Any]) -> dict[str, Any]:
    """The local names of the functions in which a handler is being defined.

    Annotations that are strings may use them, and after the definition nobody knows them any more.
    Empty for a handler at the top of its module.
    """
    qualname = getattr(fn, "__qualname__", "")
    names: dict[str, Any] = {}
    frame = inspect.currentframe() if "<locals>" in qualname else None
    while frame is not None:
        if qualname.startswith(f"{frame.f_code.co_qualname}.<locals>."):
            names = {**frame.f_locals, **names}
        frame = frame.f_back
    return names


def parameters_of(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters with their annotations as written, whether or not those can be resolved."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format  # noqa: PLC0415 (new in 3.14)

        signature = inspect.signature(fn, annotation_format=Format.FORWARDREF)
    else:
        signature = inspect.signature(fn)
    return list(signature.parameters.values())


def resolved(annotation: Any, fn: Callable[..., Any], names: Mapping[str, Any]) -> Any:
    """The type an annotation stands for.

    Args:
        annotation: as written; a string where the module defers annotations.
        fn: the handler, whose module's names it may use.
        names: names besides (`names_around`).

    Raises:
        UnresolvedError: a name in it is not defined, or it is no type.
    """
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, _globals_of(fn), dict(names), include_extras=True)["it"]
    except Exception as error:
        raise UnresolvedError(f"{type(error).__name__}: {error}") from error


def as_written(annotation: Any) -> str:
    """An annotation as its author knows it."""
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    if isinstance(annotation, str):
        return annotation
    return getattr(annotation, "__qualname__", None) or str(annotation)


def contexts_in(annotation: Any) -> frozenset[str]:
    """Which of the context classes an annotation names.

    A string counts by the name in it: contexts are often imported for type checkers only, and then
    cannot be resolved. Classes are known by name too: their module imports far more than a task
    needs.
    """
    if isinstance(annotation, str | ForwardRef):
        return frozenset(_CONTEXT.findall(as_written(annotation)))
    if isinstance(annotation, type):
        bases = (base for base in annotation.__mro__ if base.__module__ == _CONTEXT_MODULE)
        return frozenset(base.__name__ for base in bases if base.__name__ in CONTEXTS)
    return frozenset[str]().union(*(contexts_in(part) for part in get_args(annotation)))


def _globals_of(fn: Callable[..., Any]) -> dict[str, Any]:
    inner: Any = inspect.unwrap(fn)
    while isinstance(inner, functools.partial):
        inner = inspect.unwrap(inner.func)
    if not hasattr(inner, "__globals__"):
        inner = getattr(inner, "__func__", None) or type(inner).__call__
    found: dict[str, Any] = getattr(inner, "__globals__", {})
    return found
