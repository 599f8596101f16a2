"""One line a log for each event."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from graphile_worker.hooks import events as on
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.jobs.job import Job
from graphile_worker.runtime.log_fields import log_fields


@dataclass(frozen=True, slots=True)
class Line:
    """What is logged for an event; never a payload."""

    logger: str
    """Below `graphile_worker`."""
    level: int
    message: str
    fields: Callable[[Any], dict[str, Any]]
    """What stands in the message and in `extra`, by name."""


def _fields(*names: str) -> Callable[[Any], dict[str, Any]]:
    return lambda event: {name: _plain(getattr(event, name)) for name in names}


def _plain(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else getattr(value, "value", value)


def _ran(event: on.AfterJobRun) -> dict[str, Any]:
    result = "nothing" if event.result is None else type(event.result).__name__
    return {"raised": result, "duration": event.duration.total_seconds()}


def _added(event: on.BeforeJobSchedule) -> dict[str, Any]:
    return {"task_identifier": event.identifier}


def _scheduled(event: on.CronJobScheduled) -> dict[str, Any]:
    return {"crontab": str(event.crontab), "scheduled_at": event.scheduled_at}


LINES: Final[dict[Any, Line]] = {
    on.WorkerInit: Line(
        "worker",
        logging.INFO,
        "schema %(schema)s, concurrency %(concurrency)d",
        _fields("schema", "concurrency"),
    ),
    on.JobFetch: Line("job", logging.DEBUG, "fetched", _fields()),
    on.BeforeJobRun: Line("job", logging.DEBUG, "about to run", _fields()),
    on.JobStart: Line("job", logging.DEBUG, "started", _fields()),
    on.AfterJobRun: Line("job", logging.DEBUG, "ran for %(duration).3f s, raised %(raised)s", _ran),
    on.JobComplete: Line("job", logging.INFO, "completed in %(duration).3f s", _fields("duration")),
    on.JobSnoozed: Line(
        "job",
        logging.INFO,
        "snoozed for %(delay).0f s after %(duration).3f s",
        _fields("delay", "duration"),
    ),
    on.JobRecovery: Line(
        "job",
        logging.INFO,
        "to be handed back, %(reason)s, ran on %(previous_worker_id)s",
        _fields("reason", "previous_worker_id"),
    ),
    on.BeforeJobSchedule: Line("job", logging.DEBUG, "to be added: %(task_identifier)s", _added),
    on.CronTick: Line("cron", logging.DEBUG, "minute %(timestamp)s", _fields("timestamp")),
    on.CronJobScheduled: Line(
        "cron", logging.INFO, "due at %(scheduled_at)s: %(crontab)s", _scheduled
    ),
    on.LocalQueueInit: Line("local_queue", logging.DEBUG, "begins", _fields()),
    on.LocalQueueSetMode: Line(
        "local_queue",
        logging.DEBUG,
        "%(old_mode)s, now %(new_mode)s",
        _fields("old_mode", "new_mode"),
    ),
    on.LocalQueueGetJobsComplete: Line(
        "local_queue", logging.DEBUG, "fetched %(jobs_count)d jobs", _fields("jobs_count")
    ),
    on.LocalQueueReturnJobs: Line(
        "local_queue", logging.INFO, "returned %(jobs_count)d jobs", _fields("jobs_count")
    ),
    on.LocalQueueRefetchDelayStart: Line(
        "local_queue",
        logging.DEBUG,
        "waits %(duration).3f s or for %(abort_threshold)d jobs",
        _fields("duration", "threshold", "abort_threshold"),
    ),
    on.LocalQueueRefetchDelayAbort: Line(
        "local_queue",
        logging.DEBUG,
        "waits no longer, %(count)d jobs were announced",
        _fields("count", "abort_threshold"),
    ),
    on.LocalQueueRefetchDelayExpired: Line("local_queue", logging.DEBUG, "has waited", _fields()),
}
"""The events that a worker does not log by itself. The ends that need attention, and the start and
the end of a worker, it always logs."""


class EventLog:
    """A plugin that logs a line for each event, with the event's name in the field `event`.

    Events whose level is not enabled when the worker is made are not listened to, and cost nothing.

    Example:
        WorkerOptions(..., plugins=[EventLog()])
    """

    def register(self, hooks: HookRegistry) -> None:
        """Listen to what will be logged."""
        for event, line in LINES.items():
            logger = logging.getLogger(f"graphile_worker.{line.logger}")
            if logger.isEnabledFor(line.level):
                hooks.on(event, partial(_log, logger, line))


def _log(logger: logging.Logger, line: Line, event: Any) -> None:
    fields = line.fields(event)
    extra = {"event": type(event).__name__, **_of_job(getattr(event, "job", None)), **fields}
    if (worker_id := getattr(event, "worker_id", None)) is not None:
        extra["worker_id"] = worker_id
    arguments = (fields,) if fields else ()  # an empty dict would be taken for a value
    log_fields(logger, line.level, line.message, *arguments, fields=extra)


def _of_job(job: Job | None) -> dict[str, Any]:
    if job is None:
        return {}
    return {"job_id": job.id, "task_identifier": job.task_identifier, "attempt": job.attempts}
