"""A frame as a picture: it fits, and shows nothing that steers the terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from graphile_worker.cli.watch_rates import Rates, View
from graphile_worker.cli.watch_view import picture
from graphile_worker.queries.watch_frame import ErrorLine, Frame, TaskLine, WorkerLine

FRAME = Frame(
    now=1_800_000_000.0,
    ready=10_001,
    ready_complete=False,
    scheduled=7,
    scheduled_complete=True,
    running=3,
    retrying=0,
    failed=2,
    complete=False,
    oldest_seconds=75.0,
    added=100,
    done=90,
    tasks=[
        TaskLine(task=f"task-{n}", ready=n, running=0, retrying=0, failed=0, oldest_seconds=1.0 * n)
        for n in range(100)
    ],
    workers=[
        WorkerLine(
            worker_id=f"worker-{n}",
            host=None,
            pid=None,
            slots=None,
            running=0,
            silent_seconds=None,
            is_silent=False,
        )
        for n in range(30)
    ],
    errors=[
        ErrorLine(id=n, task="mail", attempts=1, max_attempts=25, error="x" * 300)
        for n in range(20)
    ],
)
VIEW = View(schema="graphile_worker", frame=FRAME, rates=Rates(added=12.4, done=1234.5))


def drawn(view: View, *, height: int | None = None, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(picture(view, height=height))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("height", [24, 30, 50, 100])
def test_it_is_as_high_as_the_terminal(height):
    lines = drawn(VIEW, height=height)
    assert len(lines) <= height
    assert len(lines) >= height - 2 or height > 60
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "tasks more" in text
    assert "workers more" in text
    assert "last errors" in text


def test_without_a_height_everything_is_shown():
    text = "\n".join(drawn(VIEW))
    assert "task-99" in text
    assert "worker-29" in text
    assert "more" not in text


def test_lower_bounds_are_marked_and_explained():
    text = "\n".join(drawn(VIEW, width=120))
    assert "ready 10,001+   running 3+   retrying 0+   scheduled 7   failed 2+" in text
    assert "added 12/s   done 1,234/s   oldest ready 1 min 15 s   + at least: the table is" in text


def test_an_outage_is_told_with_its_length_and_its_reason():
    text = "\n".join(drawn(replace(VIEW, lost_for=42.0, error="nobody answers"), width=120))
    assert "lost the database 42 s ago, trying again: nobody answers" in text


def test_names_and_errors_cannot_steer_the_terminal():
    hostile = "\x1b[2J[red]x\n"
    frame = replace(
        FRAME,
        tasks=[replace(FRAME.tasks[1], task=hostile)],
        workers=[replace(FRAME.workers[0], worker_id=hostile, host=hostile, pid="1")],
        errors=[replace(FRAME.errors[0], task=hostile, error=hostile)],
    )
    text = "\n".join(drawn(replace(VIEW, frame=frame, schema=hostile, error=hostile, lost_for=1.0)))
    assert "\x1b" not in text
    assert text.count("[red]x") >= 4
