"""What a worker remembers of the jobs that it ran, until it is stored."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from graphile_worker.history.options import RunLog
from graphile_worker.history.tally import Counted, Tally
from graphile_worker.hooks.events import (
    JobComplete,
    JobFail,
    JobInterrupted,
    JobLost,
    JobPermanentlyFail,
    JobSnoozed,
    JobStart,
)
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.jobs.job import Job
from graphile_worker.payloads.reserved_keys import TRACE
from graphile_worker.payloads.shapes import is_list, is_mapping
from graphile_worker.queries.history import RunRow

FULL: Final = 1000
"""Attempts in one statement; so many wait for no others."""
MOST: Final = 20_000
"""Attempts that wait, at most; more are left out."""
LONGEST_ERROR: Final = 2000
"""Characters of an error that are kept with an attempt; `last_error` has all of them."""

_OUTCOMES: Final[dict[Any, str]] = {
    JobComplete: "completed",
    JobFail: "failed",
    JobPermanentlyFail: "dead",
    JobSnoozed: "snoozed",
    JobInterrupted: "interrupted",
    JobLost: "lost",
}
_COUNTED: Final[dict[str, Counted]] = {
    "completed": "completed",
    "failed": "failed",
    "dead": "dead",
}
_FAILURES: Final = frozenset({"failed", "dead", "interrupted", "lost"})
_LOGGED: Final[dict[RunLog, frozenset[str]]] = {
    "off": frozenset(),
    "failed": _FAILURES,
    "all": frozenset(_OUTCOMES.values()),
}
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
"""Anybody may write a payload; a text that the database refuses would keep all attempts waiting."""


class RunRecords:
    """Hears of jobs and remembers; costs some microseconds a job, and does no I/O.

    Args:
        run_log: which attempts are remembered one by one.
        on_full: called when so many are that they should be stored at once.
    """

    def __init__(self, run_log: RunLog, *, on_full: Callable[[], None]) -> None:
        self._logged = _LOGGED[run_log]
        self._on_full = on_full
        self._started: dict[int, float] = {}
        self._runs: list[RunRow] = []
        self._missed = 0
        self.tally = Tally()
        """What was counted."""
        self.offset = 0.0
        """Seconds by which the database's clock is ahead of this machine's."""
        self.is_off = False
        """Whether nothing is remembered any more."""

    @property
    def missed(self) -> int:
        """How many runs were left out: too much waits to be stored, or their day is not kept."""
        return self._missed + self.tally.missed

    def register(self, hooks: HookRegistry) -> None:
        """Hear of jobs from now on."""
        hooks.on(JobStart, self._begin)
        for event, outcome in _OUTCOMES.items():
            hooks.on(event, partial(self._end, outcome))

    def turn_off(self) -> None:
        """Remember nothing any more."""
        self.is_off = True
        self._started.clear()
        self._runs.clear()
        self.tally.take()

    def database_time(self) -> float:
        """The database's clock, as far as it is known, in seconds since 1970."""
        return time.time() + self.offset

    def take_runs(self) -> list[RunRow]:
        """The oldest attempts, as many as go into one statement."""
        taken, self._runs = self._runs[:FULL], self._runs[FULL:]
        return taken

    def put_runs_back(self, runs: list[RunRow]) -> None:
        """They could not be stored."""
        self._runs = runs + self._runs

    def leave_out(self, runs: int) -> None:
        """So many of those taken are stored nowhere."""
        self._missed += runs

    def _begin(self, event: JobStart) -> None:
        if self.is_off:
            return
        # The same object tells of its end, and is kept until then.
        self._started[id(event.job)] = time.time()

    def _end(self, outcome: str, event: Any) -> None:
        if self.is_off:
            return
        job: Job = event.job
        started, finished = self._times(event, outcome)
        counted = _COUNTED.get(outcome)
        if counted is not None:
            due = max(job.run_at, job.created_at).timestamp()
            wait = max(0.0, started - due) if job.attempts == 1 else None
            run = max(0.0, finished - started)
            self.tally.add(counted, job.task_identifier, at=finished, run=run, wait=wait)
        if outcome in self._logged:
            self._remember(event, outcome, started, finished)

    def _times(self, event: Any, outcome: str) -> tuple[float, float]:
        """When it started and ended, on the database's clock."""
        begun = self._started.pop(id(event.job), None)
        ended = self.database_time()
        if begun is not None:
            started = begun + self.offset
            lasted = getattr(event, "duration", None)
            return started, ended if lasted is None else started + lasted.total_seconds()
        if outcome == "interrupted" and event.job.locked_at is not None:
            return event.job.locked_at.timestamp(), ended  # by another worker, which died
        return ended, ended  # it was skipped

    def _remember(self, event: Any, outcome: str, started: float, finished: float) -> None:
        if len(self._runs) >= MOST:
            self._missed += 1
            return
        job: Job = event.job
        self._runs.append(
            RunRow(
                job.id,
                job.attempts,
                datetime.fromtimestamp(finished, UTC),
                job.task_identifier,
                job.queue_name,
                job.key,
                job.run_at,
                datetime.fromtimestamp(started, UTC),
                outcome,
                job.locked_by or event.worker_id,
                _error(event),
                _trace_id(job.payload),
            )
        )
        if len(self._runs) == FULL:
            self._on_full()


def _error(event: Any) -> str | None:
    """What was stored as the error, cut; of a run that was cut off, why."""
    if isinstance(event, JobComplete):
        return None
    if isinstance(event, JobInterrupted):
        return event.reason.value
    error: str | None = getattr(event, "error", None)
    return None if error is None else error[:LONGEST_ERROR]


def _trace_id(payload: Any) -> str | None:
    """Of the trace in which the job was added; of a batch the first item's."""
    if not payload:
        return None
    item: Any = payload[0] if is_list(payload) else payload
    trace: Any = item.get(TRACE) if is_mapping(item) else None
    found: Any = trace.get("trace_id") if is_mapping(trace) else None
    return found if isinstance(found, str) and _TRACE_ID.fullmatch(found) else None
