"""Writing history: samples of the queue, counts by task, attempts of jobs; and tidying up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, is_true, nothing
from graphile_worker.queries.loader import load
from graphile_worker.queries.side_tables import ddl

SAMPLE: Final = "_gwx_sample"
ROLLUP: Final = "_gwx_rollup"
RUN: Final = "_gwx_run"

CREATING: Final = tuple(
    f"history/create_{table}" for table in ("sample", "rollup", "run", "run_index")
)
"""The statements that make the tables."""
DROPPING: Final = tuple(f"history/drop_{table}" for table in ("sample", "rollup", "run"))
"""Those that drop them."""

_LOCK: Final = 0x47575853
"""Of advisory locks, the first key: "GWXS"."""


class RunRow(NamedTuple):
    """An attempt on its way into the table, in the order of the statement's columns."""

    job_id: int
    attempt: int
    finished_at: datetime
    task: str
    queue: str | None
    key: str | None
    run_at: datetime
    started_at: datetime
    outcome: str
    worker: str
    error: str | None
    trace_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One attempt of a job, as it ended."""

    job_id: int
    attempt: int
    task: str
    queue: str | None
    key: str | None
    run_at: datetime
    started_at: datetime
    finished_at: datetime
    outcome: str
    """`completed`, `failed` (to be retried), `dead` (for good), `snoozed`, `interrupted` (by a
    shutdown, or the worker died), or `lost` (taken from the worker while it ran)."""
    worker: str
    error: str | None
    trace_id: str | None
    """Of OpenTelemetry, where the job was added within a trace."""


def create_run_day(schema: Schema, day: date) -> Statement[None]:
    """Make room for the attempts of a day."""
    bounds = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (day, day + timedelta(days=1)))
    since, until = (bound.isoformat() for bound in bounds)
    return ddl(schema, "history/create_run_day", DAY=f"{day:%Y%m%d}", FROM=since, TO=until)


def drop_run_day(schema: Schema, day: date) -> Statement[None]:
    """Forget the attempts of a day."""
    return ddl(schema, "history/drop_run_day", DAY=f"{day:%Y%m%d}")


def run_days(schema: Schema) -> Statement[list[date]]:
    """The days that have room, oldest first."""
    args = (f"{schema.quoted}.{RUN}",)
    return Statement("run_days", load("history/run_days", schema), args, _days)


def try_lock_history(schema: Schema) -> Statement[bool]:
    """Be the one who tidies up, to the end of the transaction; False: another one is."""
    args = (_LOCK, schema.name)
    return Statement("try_lock_history", load("history/try_lock", schema), args, is_true)


def sample_is_due(schema: Schema) -> Statement[bool]:
    """Whether nobody has taken the sample of this minute."""
    return Statement("sample_is_due", load("history/sample_is_due", schema), (), is_true)


def add_sample(schema: Schema) -> Statement[None]:
    """Take the sample of this minute."""
    args = (f"{schema.quoted}._private_jobs",)
    return Statement("add_sample", load("history/add_sample", schema), args, nothing)


def add_rollup(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> Statement[None]:
    """Add counts; each row has the columns of the table, `at` in seconds since 1970."""
    args = (json.dumps(rows),)
    return Statement("add_rollup", load("history/add_rollup", schema), args, nothing)


def add_runs(schema: Schema, runs: Sequence[RunRow]) -> Statement[None]:
    """Store attempts, at least one, each once however often it is sent."""
    columns = tuple(map(list, zip(*runs, strict=True)))
    return Statement("add_runs", load("history/add_runs", schema), columns, nothing)


def prune_samples(schema: Schema, keep: timedelta) -> Statement[None]:
    """Delete samples that are older."""
    args = (keep.total_seconds(),)
    return Statement("prune_samples", load("history/prune_samples", schema), args, nothing)


def prune_rollup(schema: Schema, keep: Mapping[str, timedelta]) -> Statement[None]:
    """Delete counts that are older, by resolution."""
    args = (list(keep), [kept.total_seconds() for kept in keep.values()])
    return Statement("prune_rollup", load("history/prune_rollup", schema), args, nothing)


def _days(rows: Sequence[Row]) -> list[date]:
    """From names of ours; a partition that somebody else made is none of our business."""
    texts = [row[0].removeprefix(f"{RUN}_") for row in rows]
    days = (t for t in texts if len(t) == len("20260101") and t.isdecimal())
    return [datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date() for text in days]
