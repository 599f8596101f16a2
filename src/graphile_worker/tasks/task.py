"""Task (first version)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, get_type_hints

from graphile_worker.jobs.definition import JobDefinition
from graphile_worker.jobs.spec import JobSpec
from graphile_worker.payloads.codec import PayloadCodec
from graphile_worker.payloads.select import codec_for

P = TypeVar("P")


class Task(JobDefinition[P]):
    def __init__(self, fn: Callable[..., Any], identifier: str, spec: JobSpec, executor: str,
                 timeout: timedelta | None, backoff: Callable[[int], timedelta] | None,
                 is_batch: bool, payload: Any = ...) -> None:
        super().__init__(identifier, spec)
        self.fn = fn
        self.executor = executor if executor != "auto" else (
            "async" if inspect.iscoroutinefunction(fn) else "thread")
        self.timeout = timeout
        self.backoff = backoff
        self.is_batch = is_batch
        names = list(inspect.signature(fn).parameters)
        self.takes_payload = payload is not None and bool(names)
        rest = names[1:] if self.takes_payload else names
        self.takes_context = bool(rest)
        hints = get_type_hints(fn) if self.takes_payload else {}
        self._codec = codec_for((hints.get(names[0], Any) if payload is ... else payload) if self.takes_payload else Any)
        self.decode = self._codec.decode

    @property
    def codec(self) -> PayloadCodec[Any]:
        return self._codec

    def job(self, payload=None, spec=None):  # type: ignore
        if not self.takes_payload and payload is None:
            payload = {}
        return super().job(payload, spec)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)
