"""Parts of a logging set-up: the job on every line, and lines as JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from graphile_worker.jobs.current_job import CurrentJob, current_job

JOB_FIELDS: Final = CurrentJob._fields
"""What a line of a handler carries: `job_id`, `task_identifier`, `attempt`."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_OURS: Final = "graphile_worker."
_OF_JOBS: Final = "graphile_worker.job"


class JobFilter(logging.Filter):
    """Gives every record the job that it was logged for; drops none.

    Add it to a handler of the logging set-up, not to a logger: filters of loggers do not see what
    comes from loggers below them. Records from outside of jobs get None.

    Example:
        handler = logging.StreamHandler()
        handler.addFilter(JobFilter())
        handler.setFormatter(logging.Formatter("%(job_id)s %(task_identifier)s %(message)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields that the record does not bring along."""
        job = current_job()
        for field in JOB_FIELDS:
            if not hasattr(record, field):
                setattr(record, field, None if job is None else getattr(job, field))
        return True


class TextFormatter(logging.Formatter):
    """Time, level and message; the job behind it, where the message does not name it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """The line without its traceback."""
        line = super().formatMessage(record)
        job_id = getattr(record, "job_id", None)
        # Our own messages begin with the job, except those of events.
        if job_id is None or (record.name.startswith(_OURS) and record.name != _OF_JOBS):
            return line
        task, attempt = (getattr(record, field, "?") for field in JOB_FIELDS[1:])
        return f"{line} [job {job_id} {task}, attempt {attempt}]"


class JsonFormatter(logging.Formatter):
    """A line of JSON: `time`, `level`, `logger`, `message`, then all fields of `extra=`.

    Fields that are None are left out; values that JSON does not know are written as text. A
    traceback is in `exception`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and value is not None:
                line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, default=str)
