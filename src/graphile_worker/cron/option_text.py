"""The `?options` of a crontab line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote_plus

from graphile_worker.cron.checks import check_option
from graphile_worker.cron.crontab import CronJobKeyMode
from graphile_worker.cron.fill import parse_fill
from graphile_worker.errors import CrontabError

_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")
_SHOWN: Final = 40
_ENOUGH: Final = 20
"""Errors of one line after which the rest of it is not looked at."""


class OptionError(ValueError):
    """An option is wrong; `offset` is where it starts."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


def parse_options(text: str) -> tuple[dict[str, Any], list[OptionError]]:
    """Read `id=a&fill=1h`, the part after the question mark.

    Returns:
        What is understood, by the names of `Crontab`'s fields, and everything that is not.
    """
    found: dict[str, Any] = {}
    errors: list[OptionError] = []
    for offset, piece in _pieces(text):
        try:
            name, value = _option(piece)
            if name in found:
                raise ValueError(f"the option {_key(piece)!r} is given twice")  # noqa: TRY301
            found[name] = value
        except (ValueError, CrontabError) as error:
            errors.append(OptionError(str(error), offset))
        if len(errors) == _ENOUGH:
            break
    return found, errors


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    offset = 0
    for piece in text.split("&"):
        if piece:
            yield offset, piece
        offset += len(piece) + 1


def _key(piece: str) -> str:
    return piece.partition("=")[0]


def _option(piece: str) -> tuple[str, Any]:
    key, _, raw = piece.partition("=")
    key = _decoded(key)
    if key not in OPTIONS:
        raise ValueError(_unknown(key))
    name, read = OPTIONS[key]
    value = read(key, _decoded(raw))
    check_option(name, value)
    return name, value


def _decoded(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"{text[:_SHOWN]!r} is not percent-encoded UTF-8") from None


def _unknown(key: str) -> str:
    close = difflib.get_close_matches(key[:_SHOWN], OPTIONS, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(OPTIONS)}"
    return f"unknown option {key[:_SHOWN]!r}; {hint}"


def _text(_key: str, text: str) -> str:
    return text


def _number(key: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{key} must be a whole number, got {text[:_SHOWN]!r}")
    return int(text)


def _fill(key: str, text: str) -> Any:
    try:
        return parse_fill(text)
    except ValueError as error:
        raise ValueError(f"{key}: {error}, got {text[:_SHOWN]!r}") from None


def _mode(key: str, text: str) -> CronJobKeyMode:
    try:
        return CronJobKeyMode(text)
    except ValueError:
        known = " or ".join(mode.value for mode in CronJobKeyMode)
        raise ValueError(f"{key} must be {known}, got {text[:_SHOWN]!r}") from None


def _flags(_key: str, text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _zone(_key: str, text: str) -> str:
    # `Etc/GMT+5` is what people write, though + stands for a space in options.
    return text.replace(" ", "+")


OPTIONS: Final[dict[str, tuple[str, Callable[[str, str], Any]]]] = {
    "id": ("id", _text),
    "fill": ("fill", _fill),
    "max": ("max_attempts", _number),
    "queue": ("queue", _text),
    "priority": ("priority", _number),
    "jobKey": ("job_key", _text),
    "job_key": ("job_key", _text),
    "jobKeyMode": ("job_key_mode", _mode),
    "job_key_mode": ("job_key_mode", _mode),
    "flags": ("flags", _flags),
    "tz": ("timezone", _zone),
}
"""As written → the field of `Crontab`, and how to read it. `flags` and `tz` are ours."""
