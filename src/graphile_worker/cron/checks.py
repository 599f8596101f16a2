"""What a value of a crontab may be: what its text can hold and the database takes."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from graphile_worker.cron.zones import ZoneError, zone_of
from graphile_worker.jobs.spec import (
    MAX_IDENTIFIER_LENGTH,
    MAX_JOB_KEY_LENGTH,
    MAX_QUEUE_NAME_LENGTH,
    SMALLINT,
)

MAX_ID_LENGTH: Final = 512
"""The index over identifiers takes about 2,700 bytes."""

_TASK: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9:/\-]*")
_ID: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9\-]*")
_QUEUE: Final = re.compile(r"[_a-zA-Z0-9:\-]+")
_FLAG: Final = re.compile(r"[^,\0\ud800-\udfff]+")
_NO_KEY: Final = re.compile("[\0\ud800-\udfff]")
_SHOWN: Final = 60

OPTION_NAMES: Final = (
    "task",
    "id",
    "queue",
    "job_key",
    "max_attempts",
    "priority",
    "flags",
    "timezone",
)
"""What `check_option` knows."""


def check_option(name: str, value: Any) -> None:
    """Refuse a value that the text could not hold, or the database would refuse.

    Raises:
        ValueError: the message tells what is wrong with which value.
    """
    match name:
        case "task":
            _check_word("the task identifier", value, _TASK, MAX_IDENTIFIER_LENGTH, "_ : / -")
        case "id" if value is not None:
            _check_word("id", value, _ID, MAX_ID_LENGTH, "_ -")
        case "queue" if value is not None:
            _check_word("queue", value, _QUEUE, MAX_QUEUE_NAME_LENGTH, "_ : -", digit_first=True)
        case "job_key" if value is not None:
            _check_key(value)
        case "max_attempts" if value is not None:
            _check_number("max", value, smallest=1)
        case "priority" if value is not None:
            _check_number("priority", value, smallest=SMALLINT.start)
        case "flags":
            _check_flags(value)
        case "timezone":
            _check_zone(value)
        case _:
            pass


def _check_word(
    name: str,
    value: object,
    pattern: re.Pattern[str],
    longest: int,
    marks: str,
    *,
    digit_first: bool = False,
) -> None:
    if isinstance(value, str) and len(value) > longest:
        raise ValueError(f"{name} must be at most {longest} characters long, got {len(value)}")
    if not isinstance(value, str) or not pattern.fullmatch(value):
        first = "" if digit_first else ", the first of them a letter or _"
        raise ValueError(
            f"{name} must be made of letters, digits and {marks}{first}, got {_shown(value)}"
        )


def _check_key(value: object) -> None:
    if not isinstance(value, str) or not value or _NO_KEY.search(value):
        raise ValueError(f"jobKey must be a text without NUL, and not empty, got {_shown(value)}")
    if len(value) > MAX_JOB_KEY_LENGTH:
        raise ValueError(
            f"jobKey must be at most {MAX_JOB_KEY_LENGTH} characters long, got {len(value)}"
        )


def _check_number(name: str, value: object, *, smallest: int) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not smallest <= value < SMALLINT.stop
    ):
        raise ValueError(
            f"{name} must be a whole number from {smallest} to {SMALLINT.stop - 1}, "
            f"got {_shown(value)}"
        )


def _check_flags(value: object) -> None:
    if not isinstance(value, tuple):
        raise ValueError(f"flags must be a tuple of strings, got {_shown(value)}")  # noqa: TRY004
    for flag in cast("tuple[object, ...]", value):
        if not isinstance(flag, str) or not _FLAG.fullmatch(flag):
            raise ValueError(f"a flag must be a text without comma and NUL, got {_shown(flag)}")


def _check_zone(value: object) -> None:
    if not isinstance(value, str):
        raise ValueError(f"the time zone must be an IANA name, got {_shown(value)}")  # noqa: TRY004
    try:
        zone_of(value)
    except ZoneError as error:
        raise ValueError(str(error)) from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
