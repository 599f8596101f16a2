"""Slots that go on with the named queue whose job they ran."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from graphile_worker.database.statement import Statement
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED, Outcome
from graphile_worker.queries.release_jobs import Advanced, release_and_take_next
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.task_ids import TaskIds

_AT_MOST: Final = 0.1
"""Seconds that a slot goes on with one queue before it takes what is most urgent of all."""
_WORTH_IT: Final = 0.25
"""The share of queues with a next job below which slots wait for one in vain."""
_MEMORY: Final = 16
"""How many of the last queues that share is of, about."""
_TRIED_EACH: Final = 0.1
"""Seconds from one look to the next at whether it is worth it again."""


class KeptQueues:
    """Takes the next job of a queue in the statement that releases the one before.

    A serial queue has one job at a time, so what lies between two of them decides its speed: one
    statement, instead of a release and a claim after it. Its slot stays taken meanwhile. Jobs that
    are more urgent elsewhere wait for that slot, so it goes on for a tenth of a second at most.

    Collaborators: `may_take` says whether this worker may claim now; `reserve` keeps a slot from
    being used, `unreserve` ends that; `start` runs a job that was taken; `on_slot_free` hears of a
    slot whose queue has no next job.
    """

    def __init__(
        self,
        rules: ClaimRules,
        task_ids: TaskIds,
        *,
        may_take: Callable[[], bool],
        reserve: Callable[[], None],
        unreserve: Callable[[], None],
        start: Callable[[ClaimedJob], None],
        on_slot_free: Callable[[], None],
    ) -> None:
        self._rules = rules
        self._task_ids = task_ids
        self._may_take = may_take
        self._reserve = reserve
        self._unreserve = unreserve
        self._start = start
        self._on_slot_free = on_slot_free
        # By the identity of the claim, as in `Slots`.
        self._kept: set[int] = set()
        self._since: dict[int, float] = {}
        self._share = 1.0
        self._tries, self._try_at = 0, 0.0
        self._in_flight = 0
        self._answered = Wakeup()

    def keep(self, job: ClaimedJob, outcome: Outcome | None) -> bool:
        """Whether the slot of a job that has ended waits for the next of its queue."""
        if job.queue_id is None:
            return False
        now = time.monotonic()
        since = self._since.setdefault(job.queue_id, now)
        if (
            outcome is COMPLETED
            and now - since < _AT_MOST
            and self._may_take()
            and self._is_worth_it(now)
        ):
            self._kept.add(id(job))
            self._reserve()
            return True
        del self._since[job.queue_id]
        return False

    def keeps(self, job: ClaimedJob) -> bool:
        """Whether the slot of this job waits."""
        return id(job) in self._kept

    def advance(self, jobs: list[ClaimedJob]) -> Statement[Advanced] | None:
        """The statement for the jobs' release; `answered` must follow. None: nothing may be taken.

        To be sent before anything else is awaited.
        """
        if not self._may_take():
            return None
        self._in_flight += 1
        return release_and_take_next(
            self._rules.schema,
            worker_id=self._rules.identity.id,
            jobs=jobs,
            task_ids=self._task_ids.ids,
            forbidden_flags=self._rules.forbidden_flags,
            now=self._rules.now(),
            details=self._task_ids.show_jobs,
        )

    def answered(self) -> None:
        """The statement has been answered, or never will be."""
        self._in_flight -= 1
        self._answered()

    async def wait_answered(self) -> None:
        """Wait until no statement is under way that may take jobs."""
        while self._in_flight:
            await self._answered.wait()

    def go_on(self, job: ClaimedJob, following: ClaimedJob) -> None:
        """The slot runs the job that was taken."""
        self._kept.remove(id(job))
        self._unreserve()
        self._share += (1 - self._share) / _MEMORY
        self._start(following)

    def let_go(self, job: ClaimedJob) -> None:
        """The slot is free for any job."""
        self._kept.remove(id(job))
        self._unreserve()
        self._share -= self._share / _MEMORY
        if job.queue_id is not None:
            self._since.pop(job.queue_id, None)
        self._on_slot_free()

    def _is_worth_it(self, now: float) -> bool:
        """Where most queues have one job only, a slot does better with an ordinary claim."""
        if self._share >= _WORTH_IT:
            return True
        # Some in a row: they mostly end together, and take one statement instead of one each.
        if now >= self._try_at:
            self._tries, self._try_at = _MEMORY, now + _TRIED_EACH
        self._tries -= 1
        return self._tries >= 0
