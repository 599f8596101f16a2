"""What is wrong with a payload, and where, in one line."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from graphile_worker.errors import PayloadError
from graphile_worker.payloads.shapes import is_collection, is_mapping

_UNFIT = re.compile("[\0\ud800-\udfff]")
_AT = re.compile(r"(?P<what>.*?)(?: - at (?P<where>.*))?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")


def fault_in(value: object, write_as: Callable[[object], object]) -> str | None:
    """The first thing in a value that JSON in PostgreSQL cannot hold, as `place: what it is`.

    Args:
        value: anything that can be written as JSON, or nearly.
        write_as: what stands for values that msgspec does not know.

    Returns:
        None when nothing is found; then the reason, if there is one, lies elsewhere.
    """
    try:
        return fault_in_plain(msgspec.to_builtins(value, enc_hook=write_as))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def fault_in_plain(value: object) -> str | None:
    """The same for dicts, lists and what they hold."""
    try:
        found = _fault(value)
    except RecursionError:
        return None
    return None if found is None else f"{found.place()}: {found.what}"


def misfit(error: Exception) -> PayloadError:
    """A library's error as ours: `$.opts.retry: expected bool, got str`."""
    if isinstance(error, RecursionError):
        return PayloadError("$: nested too deep, or a value that contains itself")
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return PayloadError(f"not JSON: {error}")
    match = _AT.fullmatch(str(error))
    what, where = (match["what"], match["where"]) if match else (str(error), None)
    return PayloadError(f"{_place(where)}: {_in_our_words(what)}")


def child(place: str, key: object) -> str:
    """The place of a member or an item."""
    if isinstance(key, int):
        return f"{place}[{key}]"
    if isinstance(key, str) and key.isidentifier():
        return f"{place}.{key}"
    return f"{place}[{key!r}]"


class _Fault:
    """What was found, and the way back from there: places are only put together for a fault."""

    __slots__ = ("keys", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        self.keys: list[object] = []

    def place(self) -> str:
        return functools.reduce(child, reversed(self.keys), "$")


def _fault(value: object) -> _Fault | None:
    if isinstance(value, str):
        return _fault_in_text(value)
    if isinstance(value, float):
        return None if math.isfinite(value) else _Fault(f"{value} is not a JSON number")
    if is_mapping(value):
        return _fault_in_members(value)
    if is_collection(value):
        return _fault_in_items(enumerate(value))
    return None


def _fault_in_text(text: str) -> _Fault | None:
    unfit = _UNFIT.search(text)
    if unfit is None:
        return None
    if unfit[0] == "\0":
        return _Fault("a NUL character, which PostgreSQL cannot hold")
    return _Fault("a lone surrogate, which is not Unicode text")


def _fault_in_members(members: Mapping[Any, Any]) -> _Fault | None:
    for key in members:
        if (fault := _fault(key)) is not None:
            fault.what = f"in a key: {fault.what}"
            return fault
    return _fault_in_items(members.items())


def _fault_in_items(items: Iterable[tuple[object, object]]) -> _Fault | None:
    for key, item in items:
        if (fault := _fault(item)) is not None:
            fault.keys.append(key)
            return fault
    return None


def _place(where: str | None) -> str:
    """`$.a[0]` out of `` `$.a[0]` ``; `key` in `$` stays in words."""
    if where is None:
        return "$"
    key, found, place = where.replace("`", "").partition(" in ")
    return f"{place} ({key})" if found else key


def _in_our_words(what: str) -> str:
    if missing := _MISSING.fullmatch(what):
        return f"the field {missing[1]!r} is missing"
    if unknown := _UNKNOWN.fullmatch(what):
        return f"the field {unknown[1]!r} is not known"
    what = what.replace("`", "")
    return what[:1].lower() + what[1:] if what.startswith(("Expected", "Invalid")) else what
