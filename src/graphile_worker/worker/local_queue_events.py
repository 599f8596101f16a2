"""The events of a local queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from graphile_worker.hooks import events as on
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.hooks.handlers import O, Observers
from graphile_worker.hooks.reasons import LocalQueueMode
from graphile_worker.local_queue.events import LocalQueueEvents
from graphile_worker.recovery.identity import WorkerIdentity


class LocalQueueTeller:
    """Tells the hooks of a local queue, which waits for none of them.

    Coroutines among the handlers run in tasks of their own; each has the timeout of hooks.
    """

    def __init__(self, hooks: Hooks, identity: WorkerIdentity) -> None:
        self._hooks = hooks
        self._identity = identity
        self._telling: set[asyncio.Future[None]] = set()

    async def wait_told(self) -> None:
        """Wait until everybody has heard."""
        while self._telling:
            await asyncio.wait(tuple(self._telling))

    def events(self) -> LocalQueueEvents:
        """What the queue calls; None where nobody listens."""
        hooks = self._hooks
        return LocalQueueEvents(
            on_init=self._init if hooks.local_queue_init else None,
            on_set_mode=self._set_mode if hooks.local_queue_set_mode else None,
            on_get_jobs_complete=self._got if hooks.local_queue_get_jobs_complete else None,
            on_return_jobs=self._returned if hooks.local_queue_return_jobs else None,
            on_refetch_delay_start=(
                self._delay_started if hooks.local_queue_refetch_delay_start else None
            ),
            on_refetch_delay_abort=(
                self._delay_aborted if hooks.local_queue_refetch_delay_abort else None
            ),
            on_refetch_delay_expired=(
                self._delay_expired if hooks.local_queue_refetch_delay_expired else None
            ),
        )

    def _init(self) -> None:
        self._tell(self._hooks.local_queue_init, on.LocalQueueInit(worker_id=self._identity.id))

    def _set_mode(self, old: LocalQueueMode, new: LocalQueueMode) -> None:
        event = on.LocalQueueSetMode(worker_id=self._identity.id, old_mode=old, new_mode=new)
        self._tell(self._hooks.local_queue_set_mode, event)

    def _got(self, count: int) -> None:
        event = on.LocalQueueGetJobsComplete(worker_id=self._identity.id, jobs_count=count)
        self._tell(self._hooks.local_queue_get_jobs_complete, event)

    def _returned(self, count: int) -> None:
        event = on.LocalQueueReturnJobs(worker_id=self._identity.id, jobs_count=count)
        self._tell(self._hooks.local_queue_return_jobs, event)

    def _delay_started(self, duration: timedelta, threshold: int, abort_threshold: int) -> None:
        event = on.LocalQueueRefetchDelayStart(
            worker_id=self._identity.id,
            duration=duration,
            threshold=threshold,
            abort_threshold=abort_threshold,
        )
        self._tell(self._hooks.local_queue_refetch_delay_start, event)

    def _delay_aborted(self, count: int, abort_threshold: int) -> None:
        event = on.LocalQueueRefetchDelayAbort(
            worker_id=self._identity.id, count=count, abort_threshold=abort_threshold
        )
        self._tell(self._hooks.local_queue_refetch_delay_abort, event)

    def _delay_expired(self) -> None:
        event = on.LocalQueueRefetchDelayExpired(worker_id=self._identity.id)
        self._tell(self._hooks.local_queue_refetch_delay_expired, event)

    def _tell(self, observers: Observers[O] | None, event: O) -> None:
        slow: Awaitable[None] | None = None if observers is None else observers(event)
        if slow is not None:
            telling = asyncio.ensure_future(slow)
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)
