"""Making, tidying up, removing and reading history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from graphile_worker.client.operations import side_tables
from graphile_worker.client.operations.pausing import FEATURE as PAUSE
from graphile_worker.client.setup import Setup
from graphile_worker.database.operation import Operation, ask
from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConfigurationError
from graphile_worker.history.flow import Flow, flow
from graphile_worker.history.histogram import quantile
from graphile_worker.history.options import HistoryConfig, Resolution
from graphile_worker.queries import history as writing
from graphile_worker.queries import history_reading as reading
from graphile_worker.queries.cleanup import limit_lock_waits
from graphile_worker.queries.cron import now
from graphile_worker.queries.history import JobRun
from graphile_worker.queries.history_reading import BucketCount, Sample, Sizes, Totals
from graphile_worker.queries.pauses import PAUSES, pause_rows
from graphile_worker.queries.side_tables import Feature, table_exists
from graphile_worker.runtime.duration import Duration, duration

FEATURE: Final = "history"
VERSION: Final = 1

_DAYS_AHEAD: Final = 3
_LOCK_WAIT_MILLISECONDS: Final = 2_000
"""Others who store attempts wait behind us so long."""

By: TypeAlias = Literal["time", "task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryStatus:
    """What is kept here, and how much room it takes."""

    config: HistoryConfig
    sizes: Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How durations are spread, in seconds; `p50` and `p95` within a quarter of the truth."""

    count: int
    mean: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the Python workers did in a period."""

    completed: int
    failed: int
    """Attempts that failed, of jobs that are tried again."""
    dead: int
    """Jobs that failed for good."""
    run: Timing | None
    """How long those ran that completed; None where none did."""
    wait: Timing | None
    """How long jobs had been due when their first attempt started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period(Work):
    """What was done in one minute, hour or day."""

    at: datetime
    """When it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWork(Work):
    """What was done of one task."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePoint:
    """How the queue stood, and what went through it since the point before."""

    at: datetime
    queue: Sample
    flow: Flow | None
    """None for the first point, and where PostgreSQL's counters were reset."""


# -- making and removing -------------------------------------------------------------------------


def install(setup: Setup, config: HistoryConfig) -> Operation[None]:
    """Make the tables, where they are missing, and store what is to be kept; in a transaction."""
    feature = Feature(FEATURE, VERSION, config.settings())
    yield from side_tables.install(setup.schema, feature, writing.CREATING)
    yield from _make_room(setup.schema)


def uninstall(setup: Setup) -> Operation[bool]:
    """Drop all that history has, and what pauses left if nothing is paused; in a transaction.

    Returns:
        Whether no side table is left: False while something is paused.
    """
    yield from ask(limit_lock_waits(setup.schema, _LOCK_WAIT_MILLISECONDS))
    yield from side_tables.uninstall(setup.schema, FEATURE, writing.DROPPING)
    if (yield from ask(table_exists(setup.schema, PAUSES))):
        rows = yield from ask(pause_rows(setup.schema))
        if any(row.resumed_at is None for row in rows):
            return False
        yield from side_tables.uninstall(setup.schema, PAUSE.name, ["pauses/drop"])
    return True


def config(schema: Schema) -> Operation[HistoryConfig | None]:
    """What is kept; None: history is not installed."""
    feature = yield from side_tables.feature(schema, FEATURE)
    return None if feature is None else HistoryConfig.of(feature.settings)


def status(setup: Setup) -> Operation[HistoryStatus | None]:
    """What is kept, and its size; None: history is not installed."""
    kept = yield from config(setup.schema)
    if kept is None:
        return None
    return HistoryStatus(config=kept, sizes=(yield from ask(reading.sizes(setup.schema))))


# -- keeping -------------------------------------------------------------------------------------


def take_sample(schema: Schema) -> Operation[bool]:
    """Take the sample of this minute, if nobody has; in a transaction."""
    if not (yield from ask(writing.try_lock_history(schema))):
        return False
    if not (yield from ask(writing.sample_is_due(schema))):
        return False
    yield from ask(writing.add_sample(schema))
    return True


def prune(setup: Setup) -> Operation[bool]:
    """Delete what is older than it is to be kept, and make room for the days to come.

    In a transaction.

    Returns:
        Whether that was done; not where somebody else is at it, or history is not installed.
    """
    schema = setup.schema
    kept = yield from config(schema)
    if kept is None or not (yield from ask(writing.try_lock_history(schema))):
        return False
    yield from ask(limit_lock_waits(schema, _LOCK_WAIT_MILLISECONDS))
    yield from ask(writing.prune_samples(schema, kept.kept("keep_samples")))
    periods = {name: kept.kept(f"keep_{name}s") for name in ("minute", "hour", "day")}
    yield from ask(writing.prune_rollup(schema, periods))
    today = yield from _make_room(schema)
    for day in (yield from ask(writing.run_days(schema))):
        if day < today - kept.kept("keep_runs"):
            yield from ask(writing.drop_run_day(schema, day))
    return True


def _make_room(schema: Schema) -> Operation[date]:
    """For the attempts of yesterday, today and the next days; answers with today."""
    today = (yield from ask(now())).date()
    there = yield from ask(writing.run_days(schema))
    for ahead in range(-1, _DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        if day not in there:
            yield from ask(writing.create_run_day(schema, day))
    return today


# -- reading -------------------------------------------------------------------------------------


def samples(setup: Setup, since: Duration, step: Duration | None) -> Operation[list[SamplePoint]]:
    """How the queue stood."""
    seconds = _seconds("since", since)
    length = max(60.0, seconds / 500) if step is None else _seconds("step", step)
    found = yield from ask(reading.samples(setup.schema, since=seconds, step=length))
    points: list[SamplePoint] = []
    before: Sample | None = None
    for sample in found:
        between = None
        if before is not None:
            started = sample.running - before.running
            between = flow(before.counters, sample.counters, started=started)
        points.append(SamplePoint(at=sample.counters.at, queue=sample, flow=between))
        before = sample
    return points


def periods(
    setup: Setup, since: Duration, resolution: Resolution | None, task: str | None
) -> Operation[list[Period]]:
    """What was done in each minute, hour or day in which anything was."""
    found = yield from _work(setup, "time", since, resolution, task)
    return [Period(at=key, **work) for key, work in found]


def tasks(
    setup: Setup, since: Duration, resolution: Resolution | None, task: str | None
) -> Operation[list[TaskWork]]:
    """What was done of each task."""
    found = yield from _work(setup, "task", since, resolution, task)
    return [TaskWork(task=key, **work) for key, work in found]


def attempts(setup: Setup, job_id: int) -> Operation[list[JobRun]]:
    """The attempts of a job."""
    return ask(reading.runs_of_job(setup.schema, job_id))


def runs(
    setup: Setup,
    *,
    since: Duration,
    task: str | None,
    outcome: str | None,
    limit: int,
    slowest: bool,
) -> Operation[list[JobRun]]:
    """Attempts."""
    if limit < 0:
        raise ConfigurationError(f"limit must be at least 0, got {limit}")
    return ask(
        reading.runs(
            setup.schema,
            since=_seconds("since", since),
            task=task,
            outcome=outcome,
            limit=limit,
            slowest=slowest,
        )
    )


def resolution_for(since: Duration) -> Resolution:
    """The finest one that makes no more than some hundred points of a range."""
    seconds = _seconds("since", since)
    if seconds <= timedelta(hours=6).total_seconds():
        return "minute"
    return "hour" if seconds <= timedelta(days=10).total_seconds() else "day"


def _work(
    setup: Setup, by: By, since: Duration, resolution: Resolution | None, task: str | None
) -> Operation[list[tuple[Any, dict[str, Any]]]]:
    if resolution not in {None, "minute", "hour", "day"}:
        raise ConfigurationError(f"resolution must be minute, hour or day, got {resolution!r}")
    chosen: Mapping[str, Any] = {
        "by": by,
        "resolution": resolution or resolution_for(since),
        "since": _seconds("since", since),
        "task": task,
    }
    sums = yield from ask(reading.totals(setup.schema, **chosen))
    counts = yield from ask(reading.histograms(setup.schema, **chosen))
    spread = _by_key(counts)
    return [(total.key, _described(total, spread.get(total.key, ({}, {})))) for total in sums]


def _by_key(counts: list[BucketCount]) -> dict[Any, tuple[dict[int, int], dict[int, int]]]:
    """The histograms of runs and of waits."""
    found: dict[Any, tuple[dict[int, int], dict[int, int]]] = {}
    for count in counts:
        run, wait = found.setdefault(count.key, ({}, {}))
        (run if count.is_run else wait)[count.bucket] = count.count
    return found


def _described(total: Totals, spread: tuple[dict[int, int], dict[int, int]]) -> dict[str, Any]:
    run, wait = spread
    return {
        "completed": total.completed,
        "failed": total.failed,
        "dead": total.dead,
        "run": _timing(run, total.run),
        "wait": _timing(wait, total.wait),
    }


def _timing(counts: dict[int, int], seconds: float) -> Timing | None:
    count = sum(counts.values())
    if not count:
        return None
    return Timing(
        count=count, mean=seconds / count, p50=quantile(counts, 0.5), p95=quantile(counts, 0.95)
    )


def _seconds(name: str, value: Duration) -> float:
    return duration(name, value, positive=True).total_seconds()
