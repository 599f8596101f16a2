"""What a check answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from graphile_worker.errors import DatabaseError

_NAMED: Final = 5
_TOOK_TOO_LONG: Final = "57014"


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Costs speed, or goes wrong some day."""
    PROBLEM = "problem"
    """Makes jobs wait, run twice or be refused."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one check."""

    check: str
    """Its name, which does not change from version to version."""
    level: Level
    message: str
    """What was found, with the values."""
    remedy: str | None = None
    """What to do; None when all is well."""
    items: tuple[str, ...] = ()
    """Everything that the message is about: ids, names. The message may name only some."""


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, message)


def warning(check: str, message: str, remedy: str, items: Sequence[str] = ()) -> Finding:
    """Something to look at."""
    return Finding(check, Level.WARNING, message, remedy, tuple(items))


def problem(check: str, message: str, remedy: str, items: Sequence[str] = ()) -> Finding:
    """Something to mend."""
    return Finding(check, Level.PROBLEM, message, remedy, tuple(items))


def unanswered(check: str, error: DatabaseError) -> Finding:
    """The check could not be made."""
    remedy = "mend what the other checks say, or connect as a role that may read this"
    if error.sqlstate == _TOOK_TOO_LONG:
        remedy = "run graphile-worker doctor, which waits for as long as it takes"
    return warning(check, f"could not be checked: {error}", remedy)


def named(items: Sequence[str]) -> str:
    """Some of the items, for a message."""
    shown = ", ".join(items[:_NAMED])
    more = len(items) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 job`, `2 jobs`; `many` where an s is not enough."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
