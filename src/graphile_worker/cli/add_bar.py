"""The progress bar of `add --from-ndjson`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def bar(size: int | None) -> Generator[Bar]:
    """A bar that stays on the screen when it ends; one that only moves where there is no size."""
    columns = [
        BarColumn(),
        *([TaskProgressColumn()] if size else []),
        TextColumn("{task.fields[added]:,} jobs"),
        TimeElapsedColumn(),
        *([TimeRemainingColumn()] if size else []),
    ]
    with Progress(*columns, console=Console(stderr=True)) as drawn:
        yield Bar(drawn, drawn.add_task("", total=size, added=0))


class Bar:
    """Bytes of the file for its length, beside the number of jobs."""

    def __init__(self, drawn: Progress, task: TaskID) -> None:
        self._drawn = drawn
        self._task = task

    def show(self, bytes_read: int, added: int) -> None:
        """Draw it anew."""
        self._drawn.update(self._task, completed=bytes_read, added=added)
