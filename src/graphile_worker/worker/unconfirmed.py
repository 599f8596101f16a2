"""Completions whose commit did not wait for the disk."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.worker.steady_connection import SteadyConnection

_OVERDUE: Final = 0.005
"""Seconds for which a completion waits for a claim to bring it to the disk."""
_PROVEN_WITHIN: Final = 0.25
"""Seconds after which a claim proves nothing: a proxy may have put another server in between."""


class _Batch(NamedTuple):
    jobs: list[ClaimedJob]
    epoch: int
    added_at: float


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
        self._is_claiming = False
        self.is_followed = False
        """Whether there is reason to believe that the next claim will find jobs."""

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
        self._batches.append(_Batch(jobs, epoch, time.monotonic()))
        self._added += 1
        if self._timer is None:
            self._watch()

    def committed(self, mark: int) -> None:
        """A commit that wrote something and waited for the disk was answered."""
        while self._settled < mark:
            batch = self._batches.popleft()
            self._settled += 1
            (self._on_confirmed if self._is_proven(batch) else self._on_doubted)(batch.jobs)

    def claim_sent(self) -> int:
        """A claim is sent; answers with its mark."""
        self._is_claiming = True
        return self._added

    def claim_ended(self, mark: int | None, *, more: bool) -> None:
        """A claim was answered, or not.

        Args:
            mark: its mark; None if it found nothing, so that it did not wait for the disk.
            more: whether the next one is sent soon, and will find jobs.
        """
        self._is_claiming, self.is_followed = False, more
        if mark is not None:
            self.committed(mark)

    def stop(self) -> None:
        """Remind of nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _is_proven(self, batch: _Batch) -> bool:
        is_fresh = time.monotonic() - batch.added_at < _PROVEN_WITHIN
        return is_fresh and batch.epoch == self.epoch

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_OVERDUE, self._look, self._added)

    def _look(self, mark: int) -> None:
        """One timer at a time, and not one for each release."""
        self._timer = None
        if self._settled < mark and not self._is_claiming:
            self._on_overdue()
        if self._batches:
            self._watch()
