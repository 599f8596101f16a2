"""Errors of a crontab text: where they are, and a caret below the place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphile_worker.errors import CrontabError

_BEFORE: Final = 60
_AFTER: Final = 30
_TOLD: Final = 20
"""Errors that a message tells; `CrontabError.errors` has all of them."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the text."""

    number: int
    text: str

    def error(self, reason: str, offset: int) -> CrontabError:
        """What is wrong at a character of the line, counted from 0."""
        message = (
            f"line {self.number}, column {offset + 1}: {reason}\n{_picture(self.text, offset)}"
        )
        return CrontabError(
            reason, line=self.number, column=offset + 1, text=self.text, message=message
        )


def together(errors: Sequence[CrontabError]) -> CrontabError:
    """One error that tells all, in the order of the lines; at least one."""
    if len(errors) == 1:
        return errors[0]
    ordered = sorted(errors, key=lambda error: (error.line or 0, error.column or 0))
    first = ordered[0]
    told = "\n".join(map(str, ordered[:_TOLD]))
    more = len(ordered) - _TOLD
    return CrontabError(
        first.reason,
        line=first.line,
        column=first.column,
        text=first.text,
        message=f"{len(ordered)} errors\n{told}" + (f"\n… and {more} more" if more > 0 else ""),
        errors=tuple(ordered),
    )


def _picture(text: str, offset: int) -> str:
    """The part of a line around a place, and a caret below it."""
    start, end = max(0, offset - _BEFORE), offset + _AFTER
    before = ("…" if start else "") + text[start:offset]
    after = text[offset:end] + ("…" if end < len(text) else "")
    return f"    {_printable(before + after)}\n    {' ' * len(before)}^"


def _printable(text: str) -> str:
    """As many characters, none of which steers a terminal or moves the caret."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
    )
