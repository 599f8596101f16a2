"""The trace in which a job was added, as far as its payload tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from graphile_worker.payloads.reserved_keys import TRACE

PARENT: Final = "traceparent"
"""The key under which others put a trace, as W3C Trace Context writes it."""

_IDS: Final = re.compile(r"(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})")
_PARENT: Final = re.compile(rf"(?!ff)[0-9a-f]{{2}}-{_IDS.pattern}-[0-9a-f]{{2}}(?:-.*)?")
_MOST_ITEMS: Final = 50
"""Of a batch that are looked into."""

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A trace, by its ids in small hexadecimal digits."""

    trace_id: str
    span_id: str | None = None
    """Of the span that added the job; None where that is not known."""


def trace_of(payload: str) -> Trace | None:
    """The trace that a payload came from, of a batch the first; None where there is none.

    Args:
        payload: JSON text; what was cut off is none any more.
    """
    if f'"{TRACE}"' not in payload and f'"{PARENT}"' not in payload:
        return None
    try:
        return next(filter(None, map(_trace_in, _objects(payload))), None)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _objects(payload: str) -> Iterator[dict[str, msgspec.Raw]]:
    """The object that a payload is, or those that a batch begins with."""
    is_batch = payload.lstrip().startswith("[")
    for item in _array.decode(payload)[:_MOST_ITEMS] if is_batch else [msgspec.Raw(payload)]:
        if bytes(item).lstrip().startswith(b"{"):
            yield _object.decode(item)


def _trace_in(members: dict[str, msgspec.Raw]) -> Trace | None:
    found = (msgspec.json.decode(members[key]) for key in (TRACE, PARENT) if key in members)
    return next(filter(None, map(_trace, found)), None)


def _trace(value: Any) -> Trace | None:
    match value:
        case {"trace_id": str(trace_id), "span_id": str(span_id)}:
            ids = _IDS.fullmatch(f"{trace_id}-{span_id}".lower())
        case {"traceparent": str(text)} | str(text):
            ids = _PARENT.fullmatch(text.strip().lower())
        case _:
            return None
    return None if ids is None else Trace(trace_id=ids[1], span_id=ids[2])
