"""Completions whose commit did not wait for the disk."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final, NamedTuple

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.worker.steady_connection import SteadyConnection

_OVERDUE: Final = 0.005
"""Seconds for which a completion waits for a claim to be sent that brings it to the disk."""
_HANGS: Final = 0.25
"""Seconds after which a claim under way is waited for no longer."""


class _Batch(NamedTuple):
    jobs: list[ClaimedJob]
    epoch: int


class Unconfirmed:
    """Completions that are committed, and that a crash of the server could still undo.

    Where claims follow each other, releases need not wait for the disk: PostgreSQL brings its log
    there in order, so a claim, which waits for the disk, takes along every release that was
    answered before it was sent. Only a crash between the two can have undone one. A crash ends all
    sessions: a completion counts as stored once such a claim is answered while the sessions are
    those of before. If they are not it is in doubt, and stored once more.

    Args:
        claims: the connection of claims.
        releases: the connection of releases.
        on_confirmed: called with jobs that are stored for good.
        on_doubted: called with jobs whose completion a crash may have undone.
        on_overdue: called when no claim came: something else has to wait for the disk.
    """

    def __init__(
        self,
        claims: SteadyConnection,
        releases: SteadyConnection,
        *,
        on_confirmed: Callable[[list[ClaimedJob]], None],
        on_doubted: Callable[[list[ClaimedJob]], None],
        on_overdue: Callable[[], None],
    ) -> None:
        self._claims = claims
        self._releases = releases
        self._on_confirmed = on_confirmed
        self._on_doubted = on_doubted
        self._on_overdue = on_overdue
        self._batches: deque[_Batch] = deque()
        self._added = self._settled = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at: float | None = None
        self._ended_at = -inf
        self.is_followed = False
        """Whether claims that find jobs have followed each other closely until now."""

    def __bool__(self) -> bool:
        return bool(self._batches)

    @property
    def jobs(self) -> list[ClaimedJob]:
        """Those that are completed and not confirmed."""
        return [job for batch in self._batches for job in batch.jobs]

    @property
    def epoch(self) -> int:
        """Changes with each new session; to be read before a release is sent."""
        return self._claims.opened + self._releases.opened

    @property
    def mark(self) -> int:
        """What a commit proves; to be read before it is sent."""
        return self._added

    def add(self, jobs: list[ClaimedJob], epoch: int) -> None:
        """These were released in `epoch` by a commit that did not wait for the disk."""
        self._batches.append(_Batch(jobs, epoch))
        self._added += 1
        if self._timer is None:
            self._watch()

    def committed(self, mark: int) -> None:
        """A commit that wrote something and waited for the disk was answered."""
        while self._settled < mark:
            batch = self._batches.popleft()
            self._settled += 1
            is_proven = batch.epoch == self.epoch
            (self._on_confirmed if is_proven else self._on_doubted)(batch.jobs)

    def claim_sent(self) -> int:
        """A claim is sent; answers with its mark."""
        self._sent_at = time.monotonic()
        return self._added

    def claim_ended(self, mark: int | None, *, is_full: bool) -> None:
        """A claim was answered, or not.

        Args:
            mark: its mark; None if it found nothing, so that it did not wait for the disk.
            is_full: whether it found as many jobs as it was asked for.
        """
        sent_at, self._sent_at = self._sent_at, None
        is_close = sent_at is not None and sent_at - self._ended_at < _OVERDUE
        self.is_followed = is_full and is_close
        self._ended_at = time.monotonic()
        if mark is not None:
            self.committed(mark)

    def give_up(self) -> list[ClaimedJob]:
        """Forget all of them; answers with them."""
        jobs = self.jobs
        self._batches.clear()
        self._settled = self._added
        return jobs

    def stop(self) -> None:
        """Remind of nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_OVERDUE, self._look, self._added)

    def _look(self, mark: int) -> None:
        """One timer at a time, and not one for each release."""
        self._timer = None
        hangs = self._sent_at is not None and time.monotonic() - self._sent_at > _HANGS
        if self._settled < mark and (self._sent_at is None or hangs):
            self.is_followed = False
            self._on_overdue()
        if self._batches:
            self._watch()
