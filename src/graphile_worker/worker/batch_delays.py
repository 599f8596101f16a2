"""How long an outcome may wait for others, to be stored with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Completed, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class BatchDelays:
    """The delays of completions and of failures, in seconds."""

    complete: float = 0.0
    fail: float = 0.0

    @property
    def any(self) -> bool:
        """Whether any outcome waits at all."""
        return self.complete > 0 or self.fail > 0

    def of(self, job: ClaimedJob, outcome: Outcome) -> float:
        """How long this one may wait.

        Not at all in a named queue, since the queue would stand still meanwhile; nor where nothing
        was decided about the job (snoozed, interrupted, never run), which others may run.
        """
        if job.queue_id is not None:
            return 0.0
        if isinstance(outcome, Completed):
            return self.complete
        is_failure = outcome.verdict in {Verdict.SPENT, Verdict.EXHAUSTED}
        return self.fail if is_failure else 0.0


NO_DELAYS: Final = BatchDelays()
