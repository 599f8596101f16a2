"""What the API is sent, and what it answers where the service has no shape for it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from graphile_worker.admin.service.actions import Skipped
from graphile_worker.admin.service.bulk import BulkOperation
from graphile_worker.admin.service.fleet import FleetMember
from graphile_worker.admin.service.groups import Counts, QueueCounts, TaskCounts
from graphile_worker.admin.service.job_page import JobPage
from graphile_worker.admin.web.requests import Body, Query
from graphile_worker.client.operations.history import Period, SamplePoint
from graphile_worker.queries.admin_samples import Holder, Pulse

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Small = Annotated[int, Meta(ge=-(2**15), le=2**15 - 1)]
Attempts = Annotated[int, Meta(ge=0, le=2**15 - 1)]
MaxAttempts = Annotated[int, Meta(ge=1, le=2**15 - 1)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Text = Annotated[str, Meta(max_length=2_048)]


class FilterQuery(Query, frozen=True):
    """Which jobs; empty is any. The grammar is that of the page's addresses."""

    state: Text = ""
    task: Text = ""
    queue: Text = ""
    key: Text = ""
    error: Text = ""
    payload: Text = ""
    worker: Text = ""
    flag: Text = ""
    attempts: Text = ""
    created: Text = ""
    run: Text = ""
    fingerprint: Text = ""
    q: Text = ""
    scope: Text = ""


class JobsQuery(FilterQuery, frozen=True):
    """A page of jobs."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    after: Annotated[str, Meta(max_length=200)] = ""
    fields: Literal["", "payload"] = ""


class ExportQuery(FilterQuery, frozen=True):
    """All jobs of a filter."""

    limit: Annotated[int, Meta(ge=1, le=1_000_000)] = 100_000


class RevealQuery(Query, frozen=True):
    """Whether to show secrets."""

    reveal: bool = False


class FailuresQuery(Query, frozen=True):
    """Which failures."""

    task: Text = ""
    scope: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    limit: Annotated[int, Meta(ge=1, le=200)] = 100


class SeriesQuery(Query, frozen=True):
    """Which stretch of the past."""

    task: Text = ""
    """Only its work; the queue as a whole has no tasks."""
    range: Literal["15m", "1h", "24h", "7d", "30d"] = "1h"


class SuggestQuery(Query, frozen=True):
    """Which values."""

    field: Literal["task", "queue", "worker", "state"]
    q: Text = ""


class AuditQuery(Query, frozen=True):
    """A page of the audit."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    before: Id | None = None


class Nothing(Query, frozen=True):
    """No parameters."""


class NewJobBody(Body, frozen=True):
    """A job to add."""

    task: Annotated[str, Meta(min_length=1, max_length=128)]
    payload: Any = None
    queue: Annotated[str, Meta(max_length=128)] | None = None
    run_at: datetime | None = None
    max_attempts: MaxAttempts | None = None
    key: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    key_mode: Literal["replace", "preserve_run_at", "unsafe_dedupe"] | None = None
    priority: Small | None = None
    flags: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=100)] | None = None


class ActionBody(Body, frozen=True):
    """What to do to jobs: to those with `ids`, or, with `dry_run`, to those of a `filter`."""

    action: Literal["retry", "run_now", "reschedule", "fail", "delete"]
    ids: Annotated[list[Id], Meta(max_length=1_000)] | None = None
    filter: dict[str, Text] | None = None
    dry_run: bool = False
    one_more: bool = False
    """Of `retry`: one more attempt, instead of all of them again."""
    reason: Annotated[str, Meta(max_length=10_000)] | None = None
    run_at: datetime | None = None
    run_in: Seconds | None = None
    """Seconds from now, by the database's clock."""
    priority: Small | None = None
    attempts: Attempts | None = None
    max_attempts: MaxAttempts | None = None


class OperationBody(ActionBody, frozen=True):
    """What to do to all jobs of a filter."""

    newest_id: Id | None = None
    """Of the preview: jobs that were added since are left alone."""


class KeyBody(Body, frozen=True):
    """Which job."""

    key: Annotated[str, Meta(min_length=1, max_length=512)]


class UnlockBody(Body, frozen=True):
    """Which workers."""

    workers: Annotated[list[Annotated[str, Meta(max_length=1_000)]], Meta(max_length=1_000)]


class SweepBody(Body, frozen=True):
    """How to sweep."""

    dry_run: bool = True
    threshold_seconds: Seconds | None = None
    delay_seconds: Seconds | None = None


class NoBody(Body, frozen=True):
    """Nothing to say."""


class User(msgspec.Struct, frozen=True):
    """Who asks."""

    name: str
    role: str
    permissions: list[str]


class Status(msgspec.Struct, frozen=True):
    """What this is."""

    version: str
    schema: str
    environment: str
    read_only: bool
    user: User


class Overview(msgspec.Struct, frozen=True):
    """Figures, each with its time."""

    counts: Counts
    total: int
    counted_at: datetime
    counts_error: str | None
    pulse: Pulse
    workers: int
    stale_workers: int
    unregistered_workers: int
    forward_load: list[int]
    """Jobs due in each of the next 48 half hours."""


class Operation(msgspec.Struct, frozen=True):
    """A bulk operation, as it stands."""

    id: str
    actor: str
    action: str
    filter: dict[str, str]
    state: str
    """`running`, `done`, `cancelled` or `failed`."""
    newest_id: int | None
    total: int | None
    """How many jobs matched when it began; null when they were not counted to the end."""
    requested: int
    changed: int
    skipped: int
    missing: int
    skipped_jobs: list[Skipped]
    """The first thousand of them."""
    error: str | None
    started_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, operation: BulkOperation) -> Operation:
        """The operation as the API tells of it."""
        names = [name for name in cls.__struct_fields__ if name != "action"]
        return cls(
            action=operation.act.action.value,
            **{name: getattr(operation, name) for name in names},
        )


class Series(msgspec.Struct, frozen=True):
    """What was, as far as it is kept."""

    is_kept: bool
    """Whether history is installed."""
    samples: list[SamplePoint]
    """How the queue stood, and what went through it; empty for a task."""
    work: list[Period]
    """What Python workers did in each minute, hour or day."""


class QueueDetails(msgspec.Struct, frozen=True):
    """A queue."""

    queue: QueueCounts
    state: str
    holder: Holder | None
    next: JobPage


class Fleet(msgspec.Struct, frozen=True):
    """All workers."""

    workers: list[FleetMember]
    at: datetime


class TaskList(msgspec.Struct, frozen=True):
    """All tasks."""

    tasks: list[TaskCounts]
    at: datetime


class QueueList(msgspec.Struct, frozen=True):
    """All queues."""

    queues: list[QueueCounts]
    at: datetime


class Added(msgspec.Struct, frozen=True):
    """The job that was added or removed; null where there was none."""

    id: int | None


class Deleted(msgspec.Struct, frozen=True):
    """How many rows each task deleted."""

    deleted: dict[str, int]


class Done(msgspec.Struct, frozen=True):
    """It was done."""

    done: bool = True
