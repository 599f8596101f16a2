"""Named queues that this worker has let go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from graphile_worker.database.statement import Statement
from graphile_worker.queries.freed_queues import announce_freed_queues
from graphile_worker.worker.claim_rules import ClaimRules

_OTHERS_AFTER: Final = 0.05
"""Seconds that this worker has to take the next job itself, before others are told."""


class FreedQueues:
    """Sees to it that the next job of a queue does not wait for a poll.

    The worker that frees a queue looks for the next job itself, at once. Where it cannot take it
    (no slot is free, it does not know the task, it is shutting down), workers that have nothing to
    do would not learn of it before their next poll. So whatever is still free a moment later is
    announced, as new jobs are.

    Collaborators: `on_due` hears that `announcement` is to be sent.
    """

    def __init__(self, rules: ClaimRules, *, on_due: Callable[[], None]) -> None:
        self._rules = rules
        self._on_due = on_due
        self._after = _OTHERS_AFTER
        self._queues: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.is_due = False
        """Whether it is time for `announcement`."""

    def add(self, queue_ids: Iterable[int]) -> None:
        """Queues are free again."""
        self._queues.update(queue_ids)
        if not self._after:
            self._ripe()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._after, self._ripe)

    def hurry(self) -> None:
        """From now on this worker takes no jobs: others are told at once."""
        self._after = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._ripe()

    def announcement(self) -> Statement[None]:
        """Tells others of those queues, which are forgotten here."""
        self.is_due = False
        queues, self._queues = list(self._queues), set()
        return announce_freed_queues(
            self._rules.schema,
            queue_ids=queues,
            by_index=self._rules.by_index,
            now=self._rules.now(),
        )

    def _ripe(self) -> None:
        self._timer = None
        self.is_due = True
        self._on_due()
