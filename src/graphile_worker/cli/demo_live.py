"""The live display of the demo."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from graphile_worker.cli.demo_standing import Standing

_STATES: Final = (
    ("ready", "cyan"),
    ("scheduled", "blue"),
    ("locked", "yellow"),
    ("failed", "red"),
)


@contextmanager
def live() -> Generator[Display]:
    """A display that stays on the screen, with its last state, when it ends."""
    with Live(console=Console(highlight=False), auto_refresh=False) as screen:
        yield Display(screen)


class Display:
    """A bar, the rate, and the jobs by state."""

    def __init__(self, screen: Live) -> None:
        self._screen = screen

    def show(self, standing: Standing) -> None:
        """Draw it anew."""
        self._screen.update(Group(Text(), _bar(standing), _states(standing), Text()), refresh=True)


def _bar(standing: Standing) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=36)
    grid.add_column(justify="right")
    grid.add_row(
        ProgressBar(total=standing.total, completed=standing.done, width=36),
        Text.assemble(
            (f"{standing.done:,}", "bold"),
            (f" of {standing.total:,}", ""),
            (f"   {standing.per_second:,.0f} jobs/s", "green"),
            (f"   {standing.seconds:.1f} s", "dim"),
        ),
    )
    return grid


def _states(standing: Standing) -> Text:
    text = Text()
    for name, style in _STATES:
        count: int = getattr(standing.stats, name)
        text.append(f"{name} ", style="dim")
        text.append(f"{count:<7,}", style=style if count else "dim")
    return text
