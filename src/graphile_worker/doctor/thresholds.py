"""From when on something is worth a word."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The values that checks compare with; seconds where they are times."""

    dead_after: float = 300.0
    """Silence after which a worker counts as dead: the default of `sweep_threshold`."""
    unserved_for: float = 60.0
    """Jobs of a task that no live worker knows have been due for so long."""
    clock_difference: float = 2.0
    """Between this machine and the database, beyond what the way there can explain."""
    clock_problem: float = 60.0
    """The same, when recurring jobs and `--use-local-time` go wrong by a minute."""
    notification_within: float = 5.0
    """A notification to ourselves takes no longer."""
    old_transaction: float = 900.0
    """A transaction open for so long keeps vacuum from the rows of jobs that are done."""
    stuck_transaction: float = 3600.0
    """The same, when claims have become slow by it."""
    dead_rows: int = 100_000
    """Of one table, if they are also five times its live rows."""
    transaction_age: int = 400_000_000
    """Transactions since a table was frozen: vacuum does so at 200 million by itself."""
    transaction_age_problem: int = 1_200_000_000
    """The same; PostgreSQL stops at two thousand million."""
    sequence_used: float = 0.7
    """Part of a sequence's values that are spent."""
    sequence_problem: float = 0.9
    """The same; at the end no job can be added."""
