"""What a worker may claim, and as whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from graphile_worker.database.schema import Schema
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.worker.settings import WorkerSettings, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What this worker may claim, and as whom.

    Attributes:
        schema: where the tables are.
        identity: of the worker.
        forbidden_flags: jobs with one of these are left alone; None for no such rule.
        use_local_time: whether this program's clock decides what is due.
        poll_interval: seconds between looks for jobs, while nothing is announced.
        by_index: whether our index, which finds the first job of a queue, is there.
    """

    schema: Schema
    identity: WorkerIdentity
    forbidden_flags: list[str] | None
    use_local_time: bool
    poll_interval: float
    by_index: bool

    def now(self) -> datetime | None:
        """The clock that decides what is due; None for the database's."""
        return datetime.now(UTC) if self.use_local_time else None


def claim_rules(
    options: WorkerSettings, schema: Schema, identity: WorkerIdentity, *, by_index: bool
) -> ClaimRules:
    """The rules that a worker's options make."""
    return ClaimRules(
        schema=schema,
        identity=identity,
        forbidden_flags=list(options.forbidden_flags) or None,
        use_local_time=options.use_local_time,
        poll_interval=seconds(options.poll_interval),
        by_index=by_index,
    )
