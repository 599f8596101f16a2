"""Give up jobs that this worker holds: done, failed, snoozed or interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import (
    Row,
    Statement,
    by_first_column,
    first_column,
    is_true,
    nothing,
)
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Unfinished
from graphile_worker.queries.loader import load


def release_completed(
    schema: Schema, *, worker_id: str, jobs: Sequence[ClaimedJob]
) -> Statement[dict[int, bool]]:
    """Delete jobs that ran well, and unlock their queues.

    Returns:
        By id: True when stored, False when another session has the row locked for the moment (try
        again). An id that is missing was no longer held as it was claimed.
    """
    args = (
        worker_id,
        [job.id for job in jobs],
        [job.locked_at for job in jobs],
        [job.queue_id for job in jobs],
    )
    return Statement("release_completed", load("release_completed", schema), args, by_first_column)


def release_claim(
    schema: Schema, *, worker_id: str, jobs: Sequence[ClaimedJob], waits_for_disk: bool = True
) -> Statement[set[int]]:
    """Delete jobs of one claim that ran well, and unlock their queues.

    It waits for rows that another session has locked.

    Args:
        schema: where the tables are.
        worker_id: whose jobs they are.
        jobs: all in named queues, or none.
        waits_for_disk: False: a crash of the server may undo it, until a later commit has waited.

    Returns:
        The ids that were deleted; the others were no longer held as they were claimed.
    """
    name = "release_unqueued" if jobs[0].queue_id is None else "release_claim"
    args = (worker_id, [job.id for job in jobs], jobs[0].locked_at, waits_for_disk)
    return Statement(name, load(name, schema), args, _id_set)


class Advanced(NamedTuple):
    """What `release_and_take_next` did."""

    stored: dict[int, bool]
    """As `release_completed` answers."""
    taken: dict[int, ClaimedJob]
    """By the id of the job before it in its queue."""


def release_and_take_next(
    schema: Schema,
    *,
    worker_id: str,
    jobs: Sequence[ClaimedJob],
    task_ids: list[int],
    forbidden_flags: list[str] | None,
    now: datetime | None,
    details: bool,
) -> Statement[Advanced]:
    """Delete jobs of named queues that ran well, and claim the next due job of each queue.

    A queue without one is unlocked. Needs our index. The other arguments are those of `claim_jobs`.
    """
    args = (
        worker_id,
        task_ids,
        forbidden_flags,
        now,
        details,
        [job.id for job in jobs],
        [job.locked_at for job in jobs],
        [job.queue_id for job in jobs],
    )
    name = "release_and_take_next"
    return Statement(name, load(name, schema), args, _advanced)


def _advanced(rows: Sequence[Row]) -> Advanced:
    taken = {row[0]: ClaimedJob._make(islice(row, 2, None)) for row in rows if row[2] is not None}
    return Advanced({row[0]: row[1] for row in rows}, taken)


def release_unfinished(
    schema: Schema, *, worker_id: str, jobs: Sequence[tuple[ClaimedJob, Unfinished]]
) -> Statement[dict[int, bool]]:
    """Unlock jobs that did not run to their end, and their queues; answers as above."""
    args = (
        worker_id,
        [job.id for job, _ in jobs],
        [job.locked_at for job, _ in jobs],
        [job.queue_id for job, _ in jobs],
        [job.attempts for job, _ in jobs],
        [outcome.error for _, outcome in jobs],
        [outcome.payload for _, outcome in jobs],
        [outcome.delay for _, outcome in jobs],
        [outcome.verdict.value for _, outcome in jobs],
        [job.key is not None for job, _ in jobs],
        [outcome.attempts for _, outcome in jobs],
    )
    return Statement(
        "release_unfinished", load("release_unfinished", schema), args, by_first_column
    )


def complete_in_transaction(schema: Schema, *, worker_id: str, job: ClaimedJob) -> Statement[bool]:
    """Delete one job in its handler's transaction; False: it is not ours, do not commit."""
    args = (worker_id, [job.id], job.locked_at, True)
    return Statement("complete_in_transaction", load("release_claim", schema), args, bool)


def bring_to_disk(schema: Schema) -> Statement[None]:
    """Wait until all that is committed is on the disk; nothing else changes."""
    return Statement("bring_to_disk", load("bring_to_disk", schema), (), nothing)


def may_bring_to_disk(schema: Schema) -> Statement[bool]:
    """Whether this role may do so, and its commits wait for the disk."""
    name = "may_bring_to_disk"
    return Statement(name, load(name, schema), (), is_true)


def return_lost_claims(
    schema: Schema, *, worker_id: str, held: Sequence[ClaimedJob]
) -> Statement[list[int]]:
    """Hand back what is locked for this worker besides the jobs it holds; answers with the ids.

    Args:
        schema: where the tables are.
        worker_id: whose locks they are.
        held: as they are locked; a later lock of the same job was not heard of either.
    """
    name = "return_lost_claims"
    args = (
        worker_id,
        [job.id for job in held],
        [job.locked_at for job in held],
        [job.queue_id for job in held],
    )
    return Statement(name, load(name, schema), args, first_column)


def _id_set(rows: Sequence[Row]) -> set[int]:
    return {row[0] for row in rows}
