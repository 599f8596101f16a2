"""Which of payload and context a handler takes, and of what type the payload is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.spec import UNSET
from graphile_worker.tasks.annotations import (
    UnresolvedError,
    as_written,
    contexts_in,
    parameters_of,
    resolved,
)
from graphile_worker.tasks.executor import ExecutorKind

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_EMPTY: Final = inspect.Parameter.empty
_CONTEXT_OF: Final = {"async": "WorkerContext", "thread": "SyncWorkerContext"}
_LISTS = (list, Sequence, MutableSequence, Collection, Iterable)


@dataclass(frozen=True, slots=True)
class Signature:
    """How a handler is called: `fn()`, `fn(payload)`, `fn(ctx)` or `fn(payload, ctx)`."""

    payload_type: Any
    """None when it takes no payload."""
    takes_payload: bool
    takes_context: bool


class SignatureReader:
    """Reads one handler's signature.

    Args:
        fn: the handler.
        executor: where it runs, which decides the class of its context.
        payload: the payload type given to the decorator, None for none, UNSET to find it.
        names: local names around the handler.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        executor: ExecutorKind,
        payload: Any,
        names: Mapping[str, Any],
    ) -> None:
        self._fn = fn
        self._executor = executor
        self._payload = payload
        self._names = names

    def read(self) -> Signature:
        """The signature.

        Raises:
            ConfigurationError: the handler cannot be called with a payload and a context, or an
                annotation cannot be resolved; the message names it.
        """
        parameters = self._positional()
        takes_payload = self._takes_payload(parameters)
        if takes_payload and not parameters:
            raise ConfigurationError("the handler has no parameter for its payload")
        rest = parameters[1:] if takes_payload else parameters
        takes_context = self._takes_context(rest)
        for parameter in rest[1:] if takes_context else rest:
            if parameter.default is _EMPTY:
                raise ConfigurationError(
                    f"nothing is known of the parameter {parameter.name!r}: "
                    "a handler takes its payload, then ctx, and no more"
                )
        payload_type = self._payload_type(parameters[0]) if takes_payload else None
        return Signature(payload_type, takes_payload, takes_context)

    def read_batch(self) -> Signature:
        """The signature of a batch handler: its payload is a list.

        Raises:
            ConfigurationError: as `read`; also when the first parameter is not a list.
        """
        signature = self.read()
        if not signature.takes_payload:
            raise ConfigurationError("a batch handler takes a list of items first, then ctx")
        item = _item_type(signature.payload_type)
        return Signature(list[item], True, signature.takes_context)  # type: ignore[valid-type] # noqa: FBT003 (named by its class)

    def _positional(self) -> list[inspect.Parameter]:
        parameters = parameters_of(self._fn)
        for parameter in parameters:
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is _EMPTY:
                raise ConfigurationError(
                    f"the parameter {parameter.name!r} can only be given by keyword: "
                    "a handler is called with its payload and ctx by position"
                )
        found = [p for p in parameters if p.kind in _POSITIONAL]
        if not found and any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
            raise ConfigurationError(
                "*args does not tell what the handler takes: name its parameters, "
                "or use functools.wraps where it is wrapped"
            )
        return found

    def _takes_payload(self, parameters: Sequence[inspect.Parameter]) -> bool:
        if self._payload is not UNSET or not parameters:
            return self._payload is not UNSET and self._payload is not None
        first = parameters[0]
        if first.annotation is _EMPTY:
            return first.name != "ctx"
        return not self._contexts(first)

    def _takes_context(self, rest: Sequence[inspect.Parameter]) -> bool:
        if not rest:
            return False
        parameter = rest[0]
        contexts = self._contexts(parameter)
        is_optional = parameter.default is not _EMPTY
        if is_optional and not contexts and parameter.name != "ctx":
            return False
        if self._executor == "process":
            if is_optional:
                return False
            raise ConfigurationError(
                f"a handler in another process has no context, but takes {parameter.name!r}: "
                "leave it out, or run the task in a thread"
            )
        self._check_context(parameter, contexts)
        return True

    def _check_context(self, parameter: inspect.Parameter, contexts: frozenset[str]) -> None:
        wanted = _CONTEXT_OF[self._executor]
        if contexts and wanted not in contexts:
            kind = "an async handler" if self._executor == "async" else "a handler in a thread"
            raise ConfigurationError(
                f"{kind} is given a {wanted}, but its parameter {parameter.name!r} is annotated "
                f"{as_written(parameter.annotation)}"
            )
        if not contexts and (other := self._other_class(parameter)) is not None:
            raise ConfigurationError(
                f"the parameter {parameter.name!r} is where the handler is given its {wanted}, "
                f"but it is annotated {other.__qualname__}"
            )

    def _contexts(self, parameter: inspect.Parameter) -> frozenset[str]:
        """The context classes its annotation names, also by an alias."""
        return contexts_in(parameter.annotation) or contexts_in(self._if_resolved(parameter))

    def _other_class(self, parameter: inspect.Parameter) -> type | None:
        """A class that a context cannot be an instance of; a protocol may fit."""
        annotation = self._if_resolved(parameter)
        is_other = isinstance(annotation, type) and annotation not in {object, Any}
        return annotation if is_other and not getattr(annotation, "_is_protocol", False) else None

    def _if_resolved(self, parameter: inspect.Parameter) -> Any:
        if parameter.annotation is _EMPTY:
            return None
        try:
            return resolved(parameter.annotation, self._fn, self._names)
        except UnresolvedError:
            return None

    def _payload_type(self, parameter: inspect.Parameter) -> Any:
        if self._payload is not UNSET:
            return self._payload
        if parameter.annotation is _EMPTY:
            return Any
        try:
            return resolved(parameter.annotation, self._fn, self._names)
        except UnresolvedError as error:
            raise ConfigurationError(
                f"the annotation {as_written(parameter.annotation)!r} of the parameter "
                f"{parameter.name!r} cannot be resolved ({error}): import it at run time, "
                "or give the type: @task(payload=…)"
            ) from error


def _item_type(payload_type: Any) -> Any:
    if payload_type is Any or payload_type in _LISTS:
        return Any
    if get_origin(payload_type) not in _LISTS:
        raise ConfigurationError(
            "a batch handler takes a list of items: annotate its first parameter list[Item], "
            f"not {as_written(payload_type)}"
        )
    return get_args(payload_type)[0]
