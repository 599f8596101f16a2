"""The columns of the list of jobs: which a state has, and what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from graphile_worker.admin.pages.view import NONE, View
from graphile_worker.jobs.fine_state import FineState
from graphile_worker.queries.admin_jobs import JobRow


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: as `cols=` says it.
        title: its head.
        cell: what stands in it.
        kind: classes of the style sheet.
    """

    name: str
    title: str
    cell: Callable[[View, JobRow], Markup]
    kind: str = ""


def _waiting(v: View, job: JobRow) -> Markup:
    return v.since(max(job.run_at, job.created_at))


def _failed(v: View, job: JobRow) -> Markup:
    return v.ago(job.failed_at or job.updated_at)


def _error(_v: View, job: JobRow) -> Markup:
    return escape(View.first_line(job.error))


def _payload(v: View, job: JobRow) -> Markup:
    if job.payload is None:
        return NONE
    return Markup('<span dir="ltr">{}</span>').format(v.first_line(job.payload, 200))


def _key(v: View, job: JobRow) -> Markup:
    return v.mono(job.key)


COLUMNS: Final = (
    Column("task", "Task", lambda v, job: v.task(job.task), "wide"),
    Column("state", "State", lambda v, job: v.state(job.state)),
    Column("queue", "Queue", lambda v, job: v.queue(job.queue)),
    Column(
        "attempts", "Attempts", lambda _v, job: escape(f"{job.attempts}/{job.max_attempts}"), "r"
    ),
    Column("priority", "Priority", lambda _v, job: escape(str(job.priority)), "r"),
    Column("key", "Key", _key, "clip"),
    Column("waiting", "Waiting for", _waiting),
    Column("runs", "Runs", lambda v, job: v.ago(job.run_at)),
    Column("running", "Running for", lambda v, job: v.since(job.locked_at)),
    Column("worker", "Worker", lambda v, job: v.worker(job.locked_by), "clip"),
    Column("failed", "Failed", _failed),
    Column("error", "Last error", _error, "clip wide"),
    Column("created", "Created", lambda v, job: v.ago(job.created_at)),
    Column("payload", "Payload", _payload, "clip mono wide"),
)
"""All there are, in the order in which they are shown; the number and the box stand before them."""

_OF_STATE: Final = {
    "all": ("state", "runs", "error"),
    "waiting": ("state", "waiting"),
    "later": ("state", "runs", "error"),
    "locked": ("state", "running", "worker"),
    FineState.READY.value: ("waiting",),
    FineState.BLOCKED.value: ("waiting",),
    FineState.UNCLAIMED.value: ("waiting",),
    FineState.SCHEDULED.value: ("runs",),
    FineState.RETRYING.value: ("runs", "error"),
    FineState.RUNNING.value: ("running", "worker"),
    FineState.STUCK.value: ("running", "worker"),
    FineState.FAILED.value: ("failed", "error"),
}
_ALWAYS: Final = ("task", "queue", "attempts", "priority", "key")


def usual_columns(state: str) -> frozenset[str]:
    """The names of the columns that the list of a state has unless somebody chooses."""
    return frozenset({*_ALWAYS, *_OF_STATE[state]})


def named_columns(names: Iterable[str]) -> list[Column]:
    """The columns with these names, in their order; names of none are left out."""
    wanted = {*names}
    return [column for column in COLUMNS if column.name in wanted]
