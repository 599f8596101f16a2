"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_STATE_STYLES: Final = {
    "ready": "cyan",
    "scheduled": "blue",
    "locked": "yellow",
    "failed": "red",
}


def print_table(
    header: Sequence[str], cells: Sequence[Sequence[str]], *, numbers: Sequence[str]
) -> None:
    """Print cells as they are: what looks like rich's markup in a job's key is text."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(_cell, header, row))
    Console(highlight=False).print(table)


def _cell(column: str, text: str) -> Text:
    if text == "-":
        return Text(text, style="dim")
    if column == "state":
        return Text(text, style=_STATE_STYLES.get(text, ""))
    return Text(text)
