"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES: Final = {
    "ready": "cyan",
    "scheduled": "blue",
    "locked": "yellow",
    "failed": "red",
    "live": "green",
    "stale": "red",
}

_RIGID: Final = {"task", "state", "run_at"}
"""Columns that are not broken over lines when the terminal is narrow."""


def print_table(
    header: Sequence[str], cells: Sequence[Sequence[str]], *, numbers: Sequence[str]
) -> None:
    """Print cells as they are: what looks like rich's markup in a job's key is text."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for name in header:
        justify: Literal["left", "right"] = "right" if name in numbers else "left"
        rigid = name in numbers or name in _RIGID
        table.add_column(name, justify=justify, overflow="fold", no_wrap=rigid)
    for row in cells:
        table.add_row(*map(_cell, header, row))
    Console(highlight=False).print(table)


def _cell(column: str, text: str) -> Text:
    if text == "-":
        return Text(text, style="dim")
    if column in {"state", "heartbeat"}:
        return Text(text, style=_STYLES.get(text, ""))
    return Text(text)
