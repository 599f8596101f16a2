"""How a worker is doing, at one moment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from graphile_worker.jobs.stored import moment
from graphile_worker.runtime.shutdown import ShutdownState
from graphile_worker.worker.engine import Engine
from graphile_worker.worker.loop_monitor import LoopMonitor
from graphile_worker.worker.membership import Membership
from graphile_worker.worker.notifications import Listener

State: TypeAlias = Literal["stopped", "running", "draining", "aborting"]

_OF_SHUTDOWN: dict[ShutdownState, State] = {
    ShutdownState.RUNNING: "running",
    ShutdownState.DRAINING: "draining",
    ShutdownState.ABORTING: "aborting",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job that runs, and since when, on the database's clock."""

    id: int
    task_identifier: str
    running_for: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A snapshot; times are how long ago something was, None: never in this run."""

    state: State
    """`stopped` before and after a run."""
    worker_id: str
    connected: bool
    """Whether the last claim was answered."""
    listening: bool
    """Whether the last notification to itself arrived; also False where the worker only polls."""
    since_last_claim: timedelta | None
    """Since a claim was answered. A worker whose slots are full sends none."""
    since_last_heartbeat: timedelta | None
    heartbeat_in_thread: bool
    """False where the worker only has a pool of its caller's: then a blocked loop misses beats."""
    slots: int
    """How many jobs may run at once."""
    running: int
    """How many do."""
    waiting: int
    """How many claimed jobs wait for a slot, in the local queue."""
    loop_lag: timedelta
    """By how much the event loop is late."""
    oldest_job: RunningJob | None
    """The one that runs for longest."""

    @property
    def is_ready(self) -> bool:
        """Whether it takes jobs, as far as it knows."""
        return self.state == "running" and self.connected


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a run is made of, as far as it can be asked how it is doing."""

    engine: Engine
    membership: Membership
    monitor: LoopMonitor
    listener: Listener | None

    def health(self, *, worker_id: str, shutdown: ShutdownState, local_time: bool) -> Health:
        """Ask them all; nothing waits, and nothing is sent."""
        claimer, beat = self.engine.claimer, self.membership.last_beat
        running = self.engine.slots.running
        now = datetime.now(UTC) if local_time or beat is None else beat.database_now()
        oldest = running[0] if running else None
        return Health(
            state=_OF_SHUTDOWN[shutdown],
            worker_id=worker_id,
            connected=claimer.is_answered,
            listening=self.listener is not None and self.listener.is_listening,
            since_last_claim=_since(claimer.answered_at),
            since_last_heartbeat=None if beat is None else _since(beat.monotonic),
            heartbeat_in_thread=self.membership.beats_in_thread,
            slots=self.engine.concurrency,
            running=len(running),
            waiting=0 if self.engine.local_queue is None else len(self.engine.local_queue),
            loop_lag=timedelta(seconds=self.monitor.lag),
            oldest_job=None
            if oldest is None
            else RunningJob(
                id=oldest.id,
                task_identifier=self.engine.identifier_of(oldest),
                running_for=max(timedelta(0), now - moment(oldest.locked_at)),
            ),
        )


def stopped(*, worker_id: str, slots: int, heartbeat_in_thread: bool) -> Health:
    """Of a worker that does not run."""
    return Health(
        state="stopped",
        worker_id=worker_id,
        connected=False,
        listening=False,
        since_last_claim=None,
        since_last_heartbeat=None,
        heartbeat_in_thread=heartbeat_in_thread,
        slots=slots,
        running=0,
        waiting=0,
        loop_lag=timedelta(0),
        oldest_job=None,
    )


def _since(monotonic: float | None) -> timedelta | None:
    return None if monotonic is None else timedelta(seconds=time.monotonic() - monotonic)
