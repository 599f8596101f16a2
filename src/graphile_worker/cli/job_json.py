"""Jobs as the command line shows them: one JSON shape for every command, and the cells of rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from graphile_worker.cli.output import dumps, instant, one_line
from graphile_worker.jobs.job import Job

LIST_HEADER: Final = (
    "id",
    "task",
    "queue",
    "state",
    "run_at",
    "attempts",
    "priority",
    "key",
    "locked_by",
)


def job_json(job: Job) -> dict[str, Any]:
    """A job for `--json`: the fields of `ListedJob`, and its state.

    `flags` is the stored object (`{"name": true}`), or null; times are RFC 3339 in UTC.
    """
    return {
        "id": job.id,
        "task_identifier": job.task_identifier,
        "queue_name": job.queue_name,
        "payload": job.payload,
        "priority": job.priority,
        "run_at": instant(job.run_at),
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "last_error": job.last_error,
        "created_at": instant(job.created_at),
        "updated_at": instant(job.updated_at),
        "key": job.key,
        "locked_at": None if job.locked_at is None else instant(job.locked_at),
        "locked_by": job.locked_by,
        "revision": job.revision,
        "flags": dict.fromkeys(sorted(job.flags), True) or None,
        "is_available": job.locked_at is None and job.attempts < job.max_attempts,
        "state": job.state.value,
    }


def job_row(job: Job, *, whole_seconds: bool) -> tuple[object, ...]:
    """The cells below `LIST_HEADER`; a terminal has no room for microseconds."""
    run_at = job.run_at.replace(microsecond=0) if whole_seconds else job.run_at
    return (
        job.id,
        job.task_identifier,
        job.queue_name,
        job.state.value,
        run_at,
        _attempts(job),
        job.priority,
        job.key,
        job.locked_by,
    )


def job_lines(job: Job) -> list[tuple[str, str]]:
    """What `show` prints: name and text, where further lines of a text are indented."""
    values: dict[str, str | int | datetime | None] = {
        "id": job.id,
        "task": job.task_identifier,
        "queue": job.queue_name,
        "state": job.state.value,
        "run_at": job.run_at,
        "attempts": _attempts(job),
        "priority": job.priority,
        "key": job.key,
        "locked_by": job.locked_by,
    }
    lines = [(name, one_line(value)) for name, value in values.items()]
    error = (job.last_error or "-").rstrip()
    lines.append(("last_error", _block(error)))
    lines.append(("payload", _block(dumps(job.payload))))
    return lines


def job_brief(job: Job) -> str:
    """A job in a line, for questions about it."""
    return (
        f"{job.id} {one_line(job.task_identifier)}: {job.state.value}, "
        f"{job.attempts} of {job.max_attempts} attempts"
    )


def _attempts(job: Job) -> str:
    return f"{job.attempts}/{job.max_attempts}"


def _block(text: str) -> str:
    return "\n  ".join(map(one_line, text.split("\n")))
