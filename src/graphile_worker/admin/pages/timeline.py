"""A job's way so far, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.view import View
from graphile_worker.jobs.fine_state import FineState
from graphile_worker.queries.admin_jobs import JobRow
from graphile_worker.queries.history import JobRun

_LAST: Final = 6
"""Attempts that are shown one by one, beside the first."""


@dataclass(frozen=True, slots=True)
class Step:
    """A point of the timeline; `kind` is a class of the style sheet."""

    title: str
    text: Markup
    kind: str = ""


def timeline(v: View, job: JobRow, attempts: Sequence[JobRun]) -> list[Step]:
    """From when it was added to its next attempt; `attempts` are those that are recorded."""
    steps = [Step("Enqueued", v.ago(job.created_at))]
    if attempts:
        steps += _attempts(v, attempts)
    elif job.attempts and job.locked_at is None:
        times = v.plural(job.attempts, "attempt")
        at = Markup("the last {}").format(v.ago(job.failed_at)) if job.failed_at else Markup("")
        steps.append(Step(f"{times} failed", at, "err"))
    elif job.attempts > 1:
        steps.append(Step(f"{v.plural(job.attempts - 1, 'attempt')} failed", Markup(""), "err"))
    steps.append(_now(v, job))
    if job.state in {FineState.RETRYING, FineState.SCHEDULED}:
        next_try = f"Attempt {job.attempts + 1} of {job.max_attempts}"
        steps.append(Step(next_try, v.ago(job.run_at)))
    return steps


def _now(v: View, job: JobRow) -> Step:
    match job.state:
        case FineState.RUNNING | FineState.STUCK:
            text = Markup("attempt {} of {}, for {} by {}").format(
                job.attempts, job.max_attempts, v.since(job.locked_at), v.mono(job.locked_by)
            )
            return Step("Running" if job.state is FineState.RUNNING else "Stuck", text, "now")
        case FineState.FAILED:
            return Step("Failed permanently", Markup(""), "now")
        case FineState.RETRYING:
            return Step("Waits for its next attempt", Markup(""), "now")
        case FineState.SCHEDULED:
            return Step("Waits for its time", Markup(""), "now")
        case _:
            text = Markup("for {}").format(v.since(max(job.run_at, job.created_at)))
            return Step("Waits to be taken", text, "now")


def _attempts(v: View, attempts: Sequence[JobRun]) -> list[Step]:
    """The first, the last, and how many there were between."""
    between = len(attempts) - 1 - _LAST
    if between <= 1:
        return [_attempt(v, one) for one in attempts]
    return [
        _attempt(v, attempts[0]),
        Step(f"{v.plural(between, 'attempt')} more", Markup(""), "err"),
        *(_attempt(v, one) for one in attempts[-_LAST:]),
    ]


def _attempt(v: View, run: JobRun) -> Step:
    text = Markup("{} · waited {} · ran {} · {}").format(
        v.ago(run.finished_at),
        v.span((run.started_at - run.run_at).total_seconds()),
        v.span((run.finished_at - run.started_at).total_seconds()),
        v.mono(run.worker),
    )
    if run.error:
        text += Markup(' · <span class="note" dir="auto">{}</span>').format(v.first_line(run.error))
    kind = "" if run.outcome == "completed" else "err"
    return Step(f"Attempt {run.attempt} {run.outcome}", text, kind)


def ended(v: View, run: JobRun) -> str:
    """How the last attempt of a job ended that is gone."""
    ran = words.span((run.finished_at - run.started_at).total_seconds())
    return (
        f"Its attempt {run.attempt} at {run.task} {run.outcome} at {v.moment(run.finished_at)} "
        f"after {ran}, on {run.worker}."
    )
