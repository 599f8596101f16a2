"""Take due jobs for a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from itertools import repeat
from math import inf
from operator import itemgetter
from typing import Final, NamedTuple

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.queries.loader import load

EXACT_UP_TO: Final = 32
LARGEST: Final = 512


class Look(Enum):
    """Where a claim looks for jobs; the value is the name of its statement."""

    PLAIN = "claim_jobs"
    """Jobs of no queue, from a place on: the cheapest."""
    NEAR = "claim_near_queue_heads"
    """Queues too, by our index, but only what comes first: as `HEADS`, where that is enough."""
    QUEUES = "claim_queued_jobs"
    """Queues too; reads past all jobs that wait behind locked ones."""
    HEADS = "claim_queue_heads"
    """Queues too, by our index."""


class Place(NamedTuple):
    """Where a job stands in the order of all; jobs of the same place come in any order."""

    priority: int
    run_at: float
    """In seconds since 1970."""
    id: int | None = None
    """In the middle of many such jobs: the one that was taken last."""


FRONT: Final = Place(-(2**15), -inf)
"""Before all jobs."""


def batch_size(free: int) -> int:
    """How many jobs to ask for when `free` could be taken.

    One text for each size is prepared, so large numbers are rounded down to a few steps.
    """
    if free <= EXACT_UP_TO:
        return free
    step = 8 if free <= 128 else 64  # noqa: PLR2004 (steps of about an eighth)
    return min(free - free % step, LARGEST)


def claim_jobs(  # noqa: PLR0913 (what a job must be, and how it is looked for)
    schema: Schema,
    *,
    worker_id: str,
    task_ids: list[int],
    forbidden_flags: list[str] | None,
    now: datetime | None,
    limit: int,
    look: Look,
    start: Place = FRONT,
    by_index: bool = True,
    details: bool = True,
) -> Statement[list[ClaimedJob]]:
    """Claim up to `limit` due jobs: attempts counted, locked for this worker.

    Args:
        schema: where the tables are.
        worker_id: written into `locked_by`.
        task_ids: the tasks this worker knows.
        forbidden_flags: jobs with one of these are left alone; None for no such rule.
        now: a clock of the caller's, or None for the database's.
        limit: a size that `batch_size` gives.
        details: whether the columns that only `ctx.job` shows are read; without, they are None.
        look: where.
        start: where a plain look begins; the others begin at the front.
        by_index: whether our index is there; only a plain look asks.

    Returns:
        Jobs in no particular order. An empty answer does not prove that nothing is due: rows that
        another session holds at that moment are not seen.
    """
    args: tuple[object, ...] = (worker_id, task_ids, forbidden_flags, now, details)
    if look is Look.PLAIN:
        args = (*args, *start, by_index)
    if look is Look.NEAR:
        text = load(Look.HEADS.value, schema, limit, without="ring")
    else:
        text = load(look.value, schema, limit)
    return Statement(look.value, text, args, claimed)


def claimed(rows: Sequence[Row]) -> list[ClaimedJob]:
    """The rows of a claim, in the order in which they are to run."""
    jobs = list(map(_make, repeat(ClaimedJob), rows))
    jobs.sort(key=_ORDER)
    return jobs


def place_after(jobs: Sequence[ClaimedJob]) -> Place:
    """Where the next claim goes on after one that took these, in their order."""
    first, last = jobs[0], jobs[-1]
    is_tie = first.priority == last.priority and first.run_at == last.run_at
    return Place(last.priority, last.run_at, last.id if is_tie else None)


_make: Callable[[type[ClaimedJob], Row], ClaimedJob] = getattr(tuple, "__new__")  # noqa: B009
"""What `ClaimedJob._make` does, without its frame; checkers know no type of it by its name."""
_ORDER: Final = itemgetter(*map(ClaimedJob._fields.index, ("priority", "run_at", "id")))
