"""Which columns of the list of jobs a browser shows: the usual ones of a state, more and less.

What is kept is what differs from the usual, so that one choice serves the lists of all states:
whoever hides the key among failed jobs does not see it among ready ones either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from graphile_worker.admin.pages.job_columns import COLUMNS, Column, usual_columns

COOKIE: Final = "gw_columns"
_NAMES: Final = frozenset(column.name for column in COLUMNS)
_PART: Final = re.compile(r"([+-])([a-z]+)")


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """What a browser shows besides the usual, and what it leaves out; a name is in one at most."""

    shown: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str) -> ColumnChoice:
        """Read a cookie, `+created-key`; what is no column is left out, the last word counts."""
        signs = {name: sign for sign, name in _PART.findall(text) if name in _NAMES}
        return cls(
            frozenset(name for name, sign in signs.items() if sign == "+"),
            frozenset(name for name, sign in signs.items() if sign == "-"),
        )

    def __str__(self) -> str:
        signs = {**dict.fromkeys(self.shown, "+"), **dict.fromkeys(self.hidden, "-")}
        return "".join(f"{signs[name]}{name}" for name in sorted(signs))

    def columns(self, state: str) -> list[Column]:
        """The columns of the list of a state, in their order."""
        names = (usual_columns(state) | self.shown) - self.hidden
        return [column for column in COLUMNS if column.name in names]

    def after(self, state: str, checked: Iterable[str]) -> ColumnChoice:
        """The choice once these were checked, and no others, in the list of a state."""
        usual, wanted = usual_columns(state), _NAMES & {*checked}
        left_out = _NAMES - wanted
        return ColumnChoice(
            shown=(self.shown - left_out) | (wanted - usual),
            hidden=(self.hidden - wanted) | (usual - wanted),
        )
