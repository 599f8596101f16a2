"""Claims that last as long as a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement, by_first_column, nothing
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.queries.claim_jobs import FRONT, Place, claimed
from graphile_worker.queries.loader import load

BEGIN: Final = Statement("begin", "begin", (), nothing)
COMMIT: Final = Statement("commit", "commit", (), nothing)


def claim_by_row_lock(
    schema: Schema,
    *,
    task_ids: list[int],
    forbidden_flags: list[str] | None,
    now: datetime | None,
    limit: int,
    start: Place = FRONT,
    details: bool = True,
) -> Statement[list[ClaimedJob]]:
    """Lock up to `limit` due jobs of no queue until the transaction ends.

    `attempts` counts this run, `locked_at` is the moment; neither is in the table. The arguments
    are those of `claim_jobs`.
    """
    name = "claim_by_row_lock"
    args = (task_ids, forbidden_flags, now, details, *start)
    return Statement(name, load(name, schema, limit), args, claimed)


def settle_row_locks(
    schema: Schema,
    *,
    worker_id: str,
    done: Sequence[ClaimedJob],
    unfinished: Sequence[ClaimedJob],
    now: datetime | None,
) -> Statement[dict[int, float]]:
    """Delete the jobs that are done, and claim the others in the usual way.

    Returns:
        `locked_at` by id, in seconds since 1970, of those that are not done.
    """
    name = "settle_row_locks"
    args = (worker_id, [job.id for job in done], [job.id for job in unfinished], now)
    return Statement(name, load(name, schema), args, by_first_column)
