"""What Python workers did of each task within an hour, for the tables of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from graphile_worker.client.operations.history import TaskWork

MINUTES: Final = 60
"""Of the readings that these numbers are made from."""


def works_by_task(works: Iterable[TaskWork]) -> dict[str, TaskWork]:
    """By the name of the task."""
    return {work.task: work for work in works}


def numbers_of(work: TaskWork | None) -> Mapping[str, float | None]:
    """The numbers of a row; None where nothing is recorded."""
    if work is None:
        names = ("done_per_minute", "fail_share", "p50_run", "p95_run")
        return dict.fromkeys(names)
    attempts = work.completed + work.failed + work.dead
    return {
        "done_per_minute": round(work.completed / MINUTES, 1),
        "fail_share": (work.failed + work.dead) / attempts if attempts else None,
        "p50_run": None if work.run is None else work.run.p50,
        "p95_run": None if work.run is None else work.run.p95,
    }
