"""A job as text to paste somewhere: JSON, SQL, Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from graphile_worker.database.schema import Schema
from graphile_worker.queries.admin_jobs import JobRow


def as_json(job: JobRow, payload: str, _schema: str) -> str:
    """All of it; the payload as it is stored, without what was taken out of it."""
    values = {
        "id": job.id,
        "task_identifier": job.task,
        "queue_name": job.queue,
        "state": job.state.value,
        "priority": job.priority,
        "run_at": job.run_at.isoformat(),
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "last_error": job.error,
        "key": job.key,
        "revision": job.revision,
        "flags": job.flags,
        "created_at": job.created_at.isoformat(),
        "updated_at": job.updated_at.isoformat(),
        "locked_at": None if job.locked_at is None else job.locked_at.isoformat(),
        "locked_by": job.locked_by,
    }
    text = json.dumps(values, indent=2, ensure_ascii=False)
    return f'{text[:-2]},\n  "payload": {payload}\n}}'


def as_sql(job: JobRow, payload: str, schema: str) -> str:
    """The call of `add_job` that adds one like it, due now and without its key."""
    arguments = [
        _quoted(job.task),
        f"payload := {_quoted(payload)}::json",
        *([f"queue_name := {_quoted(job.queue)}"] if job.queue is not None else []),
        f"max_attempts := {job.max_attempts}",
        f"priority := {job.priority}",
        *([f"flags := array[{', '.join(map(_quoted, job.flags))}]"] if job.flags else []),
    ]
    return f"select {Schema(schema).quoted}.add_job({', '.join(arguments)});"


def as_python(job: JobRow, payload: str, _schema: str) -> str:
    """The call of `WorkerUtils` that adds one like it."""
    spec = [
        *([f"queue_name={job.queue!r}"] if job.queue is not None else []),
        f"max_attempts={job.max_attempts}",
        f"priority={job.priority}",
        *([f"flags={job.flags!r}"] if job.flags else []),
    ]
    return (
        f"await utils.add_raw_job(\n    {job.task!r},\n    json.loads({payload!r}),\n"
        f"    JobSpec({', '.join(spec)}),\n)"
    )


FORMS: Final[dict[str, tuple[str, Callable[[JobRow, str, str], str]]]] = {
    "json": ("JSON", as_json),
    "sql": ("SQL", as_sql),
    "python": ("Python", as_python),
}
"""Name in the address to title and writer."""


def _quoted(text: str) -> str:
    """A literal of SQL; with `standard_conforming_strings`, the default, a backslash is one."""
    return "'" + text.replace("'", "''") + "'"
