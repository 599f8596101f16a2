"""What is wrong with a payload, and where, in one line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from graphile_worker.errors import PayloadError

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
        plain = msgspec.to_builtins(value, enc_hook=write_as)
        return next(_faults("$", plain), None)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def fault_in_plain(value: object) -> str | None:
    """The same for dicts, lists and what they hold."""
    try:
        return next(_faults("$", value), None)
    except RecursionError:
        return None


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


def _faults(place: str, value: object) -> Iterator[str]:
    match value:
        case str():
            yield from _faults_in_text(place, value)
        case float() if not math.isfinite(value):
            yield f"{place}: {value} is not a JSON number"
        case dict():
            for key, member in value.items():
                yield from _faults_in_key(place, key)
                yield from _faults(child(place, key), member)
        case list() | tuple() | set() | frozenset():
            for index, item in enumerate(value):
                yield from _faults(child(place, index), item)


def _faults_in_key(place: str, key: Any) -> Iterator[str]:
    for fault in _faults("", key):
        yield f"{place}: a key: {fault.removeprefix(': ')}"


def _faults_in_text(place: str, text: str) -> Iterator[str]:
    if "\0" in text:
        yield f"{place}: a NUL character, which PostgreSQL cannot hold"
    if any("\ud800" <= character <= "\udfff" for character in text):
        yield f"{place}: a lone surrogate, which is not Unicode text"


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
