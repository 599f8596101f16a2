"""What can be done to jobs, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import assert_never

from graphile_worker.client.operations import changing
from graphile_worker.client.operations.changing import ChangedJobs, Changes
from graphile_worker.client.setup import Setup
from graphile_worker.database.operation import Operation, ask
from graphile_worker.errors import ConfigurationError
from graphile_worker.jobs.fine_state import FineState
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.spec import SMALLINT, RunAt
from graphile_worker.queries.admin_jobs import (
    Lock,
    Workers,
    job_rows,
    locks_of,
    take_free,
    wake_workers,
)
from graphile_worker.queries.manage_jobs import existing_jobs

_NOW = timedelta(0)
_MOST = SMALLINT.stop - 1
_NO_WORKERS = Workers(dead=[], claimed=None)


class JobAction(Enum):
    """What can be done to jobs. Jobs that a worker took within four hours are left alone."""

    RETRY = "retry"
    """Due now, with all attempts again."""
    RUN_NOW = "run_now"
    """Due now; one that has failed for good gets all attempts again, or it would never run."""
    RESCHEDULE = "reschedule"
    """Other time, priority, attempts."""
    FAIL = "fail"
    """No attempts left."""
    DELETE = "delete"
    """Gone, as if it had run well; Graphile Worker has no state for cancelled jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An action with what it needs.

    Raises:
        ConfigurationError: what it needs is missing or out of range, or of another action.
    """

    action: JobAction
    one_more: bool = False
    """Of `retry`: one more attempt, instead of all of them again."""
    reason: str | None = None
    """Of `fail`: becomes the jobs' error."""
    run_at: RunAt | None = None
    """Of `reschedule`: a time, or a span from now. What follows, also of `run_now`."""
    priority: int | None = None
    attempts: int | None = None
    max_attempts: int | None = None

    def __post_init__(self) -> None:
        given = [value is not None for value in self._of_reschedule()]
        if self.action is JobAction.RESCHEDULE or (
            self.action is JobAction.RUN_NOW and self.run_at is None and any(given)
        ):
            self.changes()
        elif any(given):
            raise ConfigurationError(
                "run_at, priority, attempts and max_attempts belong to the action reschedule, "
                f"got them with {self.action.value}"
            )
        if self.one_more and self.action is not JobAction.RETRY:
            raise ConfigurationError(
                f"one_more belongs to the action retry, got it with {self.action.value}"
            )
        if self.reason is not None:
            changing.checked_text("reason", self.reason)
            if self.action is not JobAction.FAIL:
                raise ConfigurationError(
                    f"a reason belongs to the action fail, got one with {self.action.value}"
                )

    def changes(self) -> Changes:
        """What `reschedule` is to change."""
        run_at, priority, attempts, max_attempts = self._of_reschedule()
        return Changes(
            run_at=run_at, priority=priority, attempts=attempts, max_attempts=max_attempts
        )

    def _of_reschedule(self) -> tuple[RunAt | None, int | None, int | None, int | None]:
        return self.run_at, self.priority, self.attempts, self.max_attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A job that was left alone."""

    id: int
    reason: str
    locked_by: str | None
    locked_at: datetime | None


@dataclass(slots=True, kw_only=True)
class Report:
    """What an action did. Every job that was asked for is in one of the lists."""

    requested: int = 0
    changed: list[int] = field(default_factory=list[int])
    skipped: list[Skipped] = field(default_factory=list[Skipped])
    missing: list[int] = field(default_factory=list[int])
    """Done, deleted, or never there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A report, with the jobs that were changed, as they are now; deleted ones as they were."""

    report: Report
    jobs: list[Job]


def carry_out(setup: Setup, act: Act, ids: list[int]) -> Operation[Outcome]:
    """Do something to jobs, and find out why some were left alone; in one transaction."""
    changed = yield from _change(setup, act, ids)
    done = [job.id for job in changed.changed]
    if done and act.action in {JobAction.RETRY, JobAction.RUN_NOW, JobAction.RESCHEDULE}:
        yield from ask(wake_workers(setup.schema, len(done)))
    locks: list[Lock] = []
    if changed.skipped:
        locks = yield from ask(locks_of(setup.schema, changed.skipped))
    report = Report(
        requested=len(set(ids)),
        changed=done,
        skipped=list(_skipped(changed.skipped, locks)),
        missing=changed.missing,
    )
    return Outcome(report=report, jobs=changed.changed)


def carry_out_on_free(setup: Setup, act: Act, ids: list[int]) -> Operation[Outcome]:
    """The same, but for jobs that other transactions hold: they are skipped, not waited for."""
    free = yield from ask(take_free(setup.schema, list(filter(changing.is_storable, ids))))
    outcome = yield from carry_out(setup, act, free)
    others = sorted(set(ids).difference(free), reverse=True)
    there = yield from ask(existing_jobs(setup.schema, list(filter(changing.is_storable, others))))
    report = outcome.report
    report.requested = len(set(ids))
    report.missing += [job_id for job_id in others if job_id not in there]
    report.skipped += [
        Skipped(id=job_id, reason="another transaction held it", locked_by=None, locked_at=None)
        for job_id in others
        if job_id in there
    ]
    return outcome


def _change(setup: Setup, act: Act, ids: list[int]) -> Operation[ChangedJobs]:
    match act.action:
        case JobAction.RETRY if act.one_more:
            return _once_more(setup, ids)
        case JobAction.RETRY:
            due = Changes(run_at=_NOW, priority=None, attempts=0, max_attempts=None)
            return changing.reschedule(setup, ids, due)
        case JobAction.RUN_NOW:
            return _run_now(setup, act, ids)
        case JobAction.RESCHEDULE:
            return changing.reschedule(setup, ids, act.changes())
        case JobAction.FAIL:
            return changing.permanently_fail(setup, ids, act.reason)
        case JobAction.DELETE:
            return changing.complete(setup, ids)
        case _:
            assert_never(act.action)


def _run_now(setup: Setup, act: Act, ids: list[int]) -> Operation[ChangedJobs]:
    """Those without attempts left are retried: due alone, they would stay where they are."""
    storable = [job_id for job_id in ids if changing.is_storable(job_id)]
    rows = yield from ask(job_rows(setup.schema, storable, _NO_WORKERS, error_chars=0))
    failed = [row.id for row in rows if row.state is FineState.FAILED]
    others = [job_id for job_id in ids if job_id not in set(failed)]
    attempts = 0 if act.attempts is None else act.attempts
    due_now = replace(act, run_at=_NOW, action=JobAction.RESCHEDULE)
    retry = replace(due_now, attempts=attempts)
    retried = yield from changing.reschedule(setup, failed, retry.changes())
    due = yield from changing.reschedule(setup, others, due_now.changes())
    return ChangedJobs(
        changed=retried.changed + due.changed,
        skipped=retried.skipped + due.skipped,
        missing=retried.missing + due.missing,
    )


def _once_more(setup: Setup, ids: list[int]) -> Operation[ChangedJobs]:
    """One attempt beyond those that were made, which differ from job to job."""
    storable = [job_id for job_id in ids if changing.is_storable(job_id)]
    rows = yield from ask(job_rows(setup.schema, storable, _NO_WORKERS, error_chars=0))
    most = {row.id: max(row.max_attempts, min(row.attempts + 1, _MOST)) for row in rows}
    done = ChangedJobs(
        changed=[], skipped=[], missing=[job_id for job_id in ids if job_id not in most]
    )
    for attempts in sorted(set(most.values())):
        changes = Changes(run_at=_NOW, priority=None, attempts=None, max_attempts=attempts)
        those = [job_id for job_id in most if most[job_id] == attempts]
        part = yield from changing.reschedule(setup, those, changes)
        done.changed.extend(part.changed)
        done.skipped.extend(part.skipped)
        done.missing.extend(part.missing)
    return done


def _skipped(ids: Iterable[int], locks: Iterable[Lock]) -> Iterable[Skipped]:
    by_id = {lock.job_id: lock for lock in locks}
    for job_id in ids:
        lock = by_id.get(job_id)
        if lock is None or lock.locked_by is None:
            yield Skipped(
                id=job_id, reason="a worker held it at that moment", locked_by=None, locked_at=None
            )
        else:
            yield Skipped(
                id=job_id,
                reason=f"running on {lock.locked_by}",
                locked_by=lock.locked_by,
                locked_at=lock.locked_at,
            )
