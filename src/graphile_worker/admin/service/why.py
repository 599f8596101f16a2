"""Why a job is where it is, in one sentence."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, datetime, timedelta

from graphile_worker.admin.service.fleet import is_pause
from graphile_worker.jobs.fine_state import FineState
from graphile_worker.queries.admin_jobs import JobRow
from graphile_worker.queries.admin_samples import Holder

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def why(job: JobRow, holder: Holder | None) -> str:  # noqa: PLR0911 (one a state)
    """The sentence.

    Args:
        job: as it stands.
        holder: the job that keeps its queue locked, where one does.
    """
    match job.state:
        case FineState.RUNNING:
            return f"running on {job.locked_by}{_since(job.locked_at, job.as_of)}"
        case FineState.STUCK:
            return (
                f"held{_since(job.locked_at, job.as_of)} by {job.locked_by}, which is gone or has "
                "held it for more than four hours; a sweep frees it"
            )
        case FineState.FAILED:
            return f"used all {job.max_attempts} attempts" + _ago(job)
        case FineState.RETRYING:
            return (
                f"runs {_until(job.run_at, job.as_of)} (attempt {job.attempts + 1} of "
                f"{job.max_attempts}, {_backoff(job)})"
            )
        case FineState.SCHEDULED:
            return f"runs {_until(job.run_at, job.as_of)}, not before {_clock(job.run_at)}"
        case FineState.BLOCKED:
            return _blocked(job, holder)
        case FineState.UNCLAIMED:
            return "no live worker handles this task"
        case FineState.READY:
            return f"ready{_since(job.run_at, job.as_of)}, waiting for a free worker"


def span(delta: timedelta) -> str:
    """A time as people say it, in its two largest units."""
    seconds = max(0, int(delta.total_seconds()))
    parts: list[str] = []
    for size, name in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:,} {name}")
    return " ".join(parts[:2]) or "0 s"


def _blocked(job: JobRow, holder: Holder | None) -> str:
    owner = job.queue_locked_by or ""
    waiting = f"waiting for queue {job.queue}"
    if is_pause(owner):
        state, _, who = owner.partition(":")
        if state == "resuming":
            end = f"when job {holder.job_id} ends" if holder is not None else "in a moment"
            return f"{waiting}, which resumes {end}"
        return f"{waiting}, which {who or 'somebody'} paused"
    held = f"{waiting}, held{_since(job.queue_locked_at, job.as_of)}"
    if holder is None:
        return f"{held} by {owner}, of whom no job runs in it"
    return f"{held} by job {holder.job_id} on {owner}"


def _ago(job: JobRow) -> str:
    if job.failed_at is None:
        return ""
    return f", the last one {span(job.as_of - job.failed_at)} ago"


def _since(moment: datetime | None, now: datetime) -> str:
    if moment is None or _is_endless(moment):
        return ""
    return f" for {span(now - moment)}"


def _until(moment: datetime, now: datetime) -> str:
    return "never" if moment.year == MAXYEAR else f"in {span(moment - now)}"


def _backoff(job: JobRow) -> str:
    return f"after a delay of exp({min(job.attempts, 10)}) s"


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _is_endless(moment: datetime) -> bool:
    return moment.year in {MINYEAR, MAXYEAR}
