"""A frame as a picture in a terminal."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from graphile_worker.cli.output import one_line
from graphile_worker.cli.watch_rates import View
from graphile_worker.doctor.span import span
from graphile_worker.queries.watch_frame import ErrorLine, TaskLine, WorkerLine

_STYLES: Final = {
    "ready": "cyan",
    "running": "yellow",
    "retrying": "magenta",
    "scheduled": "blue",
    "failed": "red",
}
_OLD: Final = 60.0
"""Seconds after which a ready job that nobody has taken is shown in red."""
_FIXED_LINES: Final = 14
"""Lines that are not rows of one of the three tables."""
_FEWEST_ROWS: Final = 3


@contextmanager
def live() -> Generator[Screen]:
    """A display over the whole terminal, which is as before afterwards."""
    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as screen:
        yield Screen(screen, console)


class Screen:
    """The newest frame in place of the one before."""

    def __init__(self, screen: Live, console: Console) -> None:
        self._screen = screen
        self._console = console

    def show(self, view: View) -> None:
        """Draw it as high as the terminal is."""
        self._screen.update(picture(view, height=self._console.height), refresh=True)


def printed() -> Printed:
    """A display that prints each frame below the one before."""
    return Printed(Console(highlight=False))


class Printed:
    """Frames one below the other."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, view: View) -> None:
        """Print it."""
        self._console.print(picture(view))


def picture(view: View, *, height: int | None = None) -> RenderableType:
    """The frame, with as many rows as fit into a height; all of them, if there is none."""
    frame = view.frame
    tasks, workers, errors = _fitting(height, len(frame.tasks), len(frame.workers), 5)
    parts: list[RenderableType] = [_title(view), Text(), _totals(view), _pace(view)]
    parts += [Text(), _tasks(frame.tasks, tasks), Text(), _workers(frame.workers, workers)]
    if frame.errors:
        parts += [Text(), *_errors(frame.errors[:errors])]
    return Group(*parts)


def _fitting(height: int | None, tasks: int, workers: int, errors: int) -> tuple[int, int, int]:
    """How many rows of each; of what there is room for, workers and errors get a quarter each."""
    if height is None:
        return tasks, workers, errors
    room = max(3 * _FEWEST_ROWS, height - _FIXED_LINES)
    workers = min(workers, max(_FEWEST_ROWS, room // 4))
    errors = min(errors, max(_FEWEST_ROWS, room // 4))
    return min(tasks, max(_FEWEST_ROWS, room - workers - errors)), workers, errors


def _title(view: View) -> Text:
    clock = datetime.fromtimestamp(view.frame.now, UTC).strftime("%H:%M:%S UTC")
    title = _line()
    title.append("graphile-worker", style="bold")
    title.append(f"  {one_line(view.schema)}  ")
    title.append(clock, style="dim")
    if view.lost_for is not None:
        lost = f"lost the database {span(view.lost_for)} ago, trying again: {one_line(view.error)}"
        title.append(f"  {lost}", style="bold red")
    return title


def _totals(view: View) -> Text:
    frame = view.frame
    counts = (
        ("ready", frame.ready, frame.ready_complete),
        ("running", frame.running, frame.complete),
        ("retrying", frame.retrying, frame.complete),
        ("scheduled", frame.scheduled, frame.scheduled_complete),
        ("failed", frame.failed, frame.complete),
    )
    text = _line()
    for name, count, complete in counts:
        text.append(f"   {name} " if text else f"{name} ", style="dim")
        text.append(_count(count, complete=complete), style=_STYLES[name] if count else "dim")
    return text


def _pace(view: View) -> Text:
    text = _line()
    if view.rates is None:
        text.append("added -/s   done -/s", style="dim")
    else:
        text.append(f"added {view.rates.added:,.0f}/s   ")
        text.append(f"done {view.rates.done:,.0f}/s", style="green" if view.rates.done else "")
    text.append("   oldest ready ", style="dim")
    text.append(*_age(view.frame.oldest_seconds))
    if not view.frame.complete:
        text.append("   + at least: the table is large", style="dim")
    return text


def _tasks(lines: Sequence[TaskLine], most: int) -> RenderableType:
    if not lines:
        return Text("no jobs", style="dim")
    table = _table("task", numbers=("ready", "oldest", "running", "retrying", "failed"))
    for line in lines[:most]:
        table.add_row(
            Text(one_line(line.task)),
            _cell("ready", line.ready),
            Text(*_age(line.oldest_seconds)),
            _cell("running", line.running),
            _cell("retrying", line.retrying),
            _cell("failed", line.failed),
        )
    return _with_rest(table, len(lines) - most, "tasks")


def _workers(lines: Sequence[WorkerLine], most: int) -> RenderableType:
    if not lines:
        return Text("no worker", style="bold red")
    table = _table("worker", numbers=("running", "slots", "heartbeat"))
    for line in lines[:most]:
        silent = line.silent_seconds
        place = (
            f"{line.worker_id}" if not line.host else f"{line.host}:{line.pid}  {line.worker_id}"
        )
        heard = "none" if silent is None else f"{span(silent)} ago"
        table.add_row(
            Text(one_line(place), style="red" if line.is_silent else ""),
            _cell("running", line.running),
            Text("-" if line.slots is None else str(line.slots), style="dim"),
            Text(heard, style="red" if line.is_silent else "dim"),
        )
    return _with_rest(table, len(lines) - most, "workers")


def _errors(lines: Sequence[ErrorLine]) -> list[Text]:
    """The last failures, a line each."""
    texts = [Text("last errors", style="bold")]
    for line in lines:
        text = _line()
        text.append(f"{line.id} ", style="dim")
        text.append(f"{one_line(line.task)} ({line.attempts}/{line.max_attempts}) ")
        text.append(one_line(line.error), style="red")
        texts.append(text)
    return texts


def _line() -> Text:
    """Text that is cut at the edge of the terminal: a second line would not have been counted."""
    return Text(no_wrap=True, overflow="ellipsis")


def _table(first: str, *, numbers: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column(first, overflow="ellipsis", no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _with_rest(table: Table, more: int, noun: str) -> RenderableType:
    if more <= 0:
        return table
    return Group(table, Text(f"and {more} {noun} more", style="dim"))


def _cell(state: str, count: int) -> Text:
    return Text(f"{count:,}", style=_STYLES[state] if count else "dim")


def _count(count: int, *, complete: bool) -> str:
    return f"{count:,}" if complete else f"{count:,}+"


def _age(seconds: float | None) -> tuple[str, str]:
    if seconds is None:
        return "-", "dim"
    return span(max(0.0, seconds)), "bold red" if seconds >= _OLD else ""
