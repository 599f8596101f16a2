"""The parts of one run, wired."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from graphile_worker.errors import Snooze
from graphile_worker.hooks.dispatch import Hooks
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import COMPLETED, HANDED_BACK, RETURNED, Outcome, interrupted
from graphile_worker.local_queue.events import SILENT, LocalQueueEvents
from graphile_worker.local_queue.options import LocalQueueConfig
from graphile_worker.local_queue.queue import LocalQueue
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.runtime.wakeup import Wakeup
from graphile_worker.tasks.context import Environment
from graphile_worker.worker.batch_delays import NO_DELAYS, BatchDelays
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.claimer import Claimer
from graphile_worker.worker.job_events import JobEvents
from graphile_worker.worker.kept_queues import KeptQueues
from graphile_worker.worker.lost_claims import LostClaims
from graphile_worker.worker.releaser import Releaser
from graphile_worker.worker.run_job import DONE, JobRunner, Run, is_final
from graphile_worker.worker.settings import LANES, WorkerSettings, seconds
from graphile_worker.worker.slots import Slots
from graphile_worker.worker.steady_connection import SteadyConnection
from graphile_worker.worker.task_ids import TaskIds
from graphile_worker.worker.transaction_claimer import TransactionClaimer
from graphile_worker.worker.waiting_outcomes import FULL_BATCH

logger = logging.getLogger(__name__)

CANCELLED_END_WITHIN: Final = 1.0
"""Seconds that a cancelled handler has for its `finally` blocks."""


class Engine:
    """The parts of one run, wired: claimer → local queue → slots → runner → releaser.

    Args:
        options: of the worker.
        rules: what may be claimed.
        environment: what handlers see.
        task_ids: the tasks.
        wakeup: a reason to claim.
        local_queue: where claimed jobs wait for a slot; None: none is claimed without one.
        local_queue_events: who wants to know of it.
        batch_delays: how long outcomes wait for others.
        keeps_queues: whether a slot goes on with the named queue whose job it ran.
        collect_errors: whether what handlers raise is kept.
    """

    def __init__(  # noqa: PLR0913 (a name for each collaborator)
        self,
        options: WorkerSettings,
        rules: ClaimRules,
        environment: Environment,
        task_ids: TaskIds,
        wakeup: Wakeup,
        hooks: Hooks,
        *,
        local_queue: LocalQueueConfig | None = None,
        local_queue_events: LocalQueueEvents = SILENT,
        batch_delays: BatchDelays = NO_DELAYS,
        keeps_queues: bool = False,
        collect_errors: bool = False,
    ) -> None:
        self._shutdown = environment.shutdown
        self._task_ids = task_ids
        self._wakeup = wakeup
        self.concurrency = options.concurrency
        self._retry_delay = seconds(options.shutdown_config().interrupted_job_retry_delay)
        self._connections = [
            SteadyConnection(environment.database, name) for name in ("claim", "release")
        ]
        self._database = environment.database
        self._swept = False
        self._left_locked: list[ClaimedJob] = []
        self.slots = Slots(
            options.concurrency,
            self._run,
            on_free=self._slot_freed,
            on_never_run=self._hand_back,
        )
        self.runner = JobRunner(
            options,
            environment,
            task_ids,
            on_thread_abandoned=self.slots.reserve,
            on_thread_returned=self._thread_returned,
            cut_off=self._cut_off,
        )
        self.local_queue = (
            None
            if local_queue is None
            else LocalQueue(
                local_queue,
                concurrency=options.concurrency,
                slots=self.slots,
                give_back=self._give_back,
                on_room=self._room_made,
                events=local_queue_events,
            )
        )
        self._most_unstored = 2 * (self.concurrency + self._capacity)
        if batch_delays.any:
            # What waits on purpose must not stop the worker.
            self._most_unstored = max(self._most_unstored, 2 * FULL_BATCH)
        self._keeps_queues = keeps_queues and rules.by_index
        self._kept_queues = KeptQueues(
            rules,
            task_ids,
            may_take=self._may_take_next,
            reserve=self.slots.reserve,
            unreserve=self.slots.unreserve,
            start=self._start_next,
            on_slot_free=self._slot_freed,
        )
        self.releaser = Releaser(
            self._connections[1],
            rules,
            self._kept_queues,
            claims=self._connections[0],
            keeps_sessions=environment.database.keeps_sessions,
            on_completed=self._all_completed,
            on_released=self._released,
            on_queue_freed=self._queue_freed,
            on_claim_lost=self._claim_lost,
            on_room=self._room_made,
            more_start=lambda: bool(self.local_queue),
            delays=batch_delays,
        )
        self._lost_claims = LostClaims(
            rules.schema,
            rules.identity,
            self._connections[0],
            self._held,
            self._kept_queues.wait_answered,
        )
        self.claimer = self._claimer(options, rules)
        self.completed = self.failed = self.retried = 0
        self.errors: list[Exception] = []
        self._collect_errors = collect_errors
        self._events = self._job_events(hooks, rules.identity) if hooks.watch_jobs else None
        self._run_job = self.runner.run if self._events is None else self._events.run

    @property
    def is_idle(self) -> bool:
        """Nothing runs, everything is stored, and everybody was told."""
        return not self.slots.running and self.releaser.is_empty and not self._untold

    async def aclose(self) -> None:
        """Stop threads, processes and connections, when all hooks have heard of all jobs."""
        if self._events is not None:
            await self._events.wait_told()
        await self.runner.aclose()
        for connection in self._connections:
            await connection.aclose()

    async def report_unknown_tasks(self) -> None:
        """Warn of due jobs whose task this worker does not know; only while it claims nothing."""
        await self._task_ids.report_unknown(self._connections[0])

    async def abandon_running(self) -> None:
        """Hand back the jobs whose handlers did not even end when cancelled."""
        jobs = self.slots.running
        for job in jobs:
            logger.error("job %s: its handler ignores cancellation; handing the job back", job.id)
        await asyncio.gather(*map(self._hand_back_asking, jobs))

    async def give_back_lost_claims(self) -> None:
        """At the end: hand back what was claimed for us without our knowing; bounded."""
        await self._lost_claims.give_back_last(self.claimer.turn)

    def drain(self) -> None:
        """Start no more jobs: what waits for a slot goes back, and no outcome waits for others."""
        if self.local_queue is not None:
            self.local_queue.release()
        self.releaser.hurry()

    def _claimer(self, options: WorkerSettings, rules: ClaimRules) -> Claimer | TransactionClaimer:
        turn = None if self.local_queue is None else self.local_queue.wait_for_turn
        parts = (self._task_ids, self._wakeup, self._shutdown, self._lost_claims)
        if options.claim_mode == "lock":
            claim = self._connections[0]
            return Claimer(
                rules,
                claim,
                *parts,
                room=self._room,
                take=self._take,
                release=self.releaser.put,
                unconfirmed=self.releaser.unconfirmed,
                turn_to_claim=turn,
            )
        lanes = [SteadyConnection(self._database, f"claim {n}") for n in range(1, 1 + LANES)]
        self._connections += lanes
        return TransactionClaimer(
            rules,
            lanes,
            *parts,
            room=self._room,
            take=self._take,
            turn_to_claim=turn,
            release=self.releaser.put,
            on_completed=self._all_completed,
            on_released=self._released,
        )

    def _held(self) -> list[ClaimedJob]:
        """All jobs that are ours: running, waiting, or with an outcome that is not stored yet."""
        waiting = [] if self.local_queue is None else self.local_queue.waiting
        started = filter(None, map(self.claimer.locked_as, self.slots.running))
        return [*started, *waiting, *self.releaser.unreleased, *self._left_locked]

    def _room(self) -> int:
        """How many may be claimed; none while outcomes pile up, since their jobs are still ours."""
        if self.releaser.backlog + self._untold >= self._most_unstored:
            return 0
        return self.slots.free if self.local_queue is None else self.local_queue.wanted()

    def _take(self, jobs: list[ClaimedJob], asked: int) -> None:
        if self._shutdown.draining.is_set():
            # Claimed while the shutdown began.
            self.drain()
        if self.local_queue is not None:
            self.local_queue.put(jobs, asked=asked)
            return
        start = self._give_back if self._shutdown.draining.is_set() else self.slots.start
        for job in jobs:
            start(job)

    def _give_back(self, job: ClaimedJob) -> None:
        """At once, as if nobody had touched it."""
        self.claimer.put(job, RETURNED)

    async def _run(self, job: ClaimedJob) -> None:
        try:
            run = await self._run_job(job)
            if self._keeps_queues and job.queue_id is not None:
                self._kept_queues.keep(job, None if run.is_stored else run.outcome)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (else it stays locked)
            run = self.runner.undecided(job, error)
        finally:
            # Before the outcome is put: the next claim is what takes longest, and is sent first.
            self.slots.ended(job)
        if run is DONE:
            self.claimer.put(job, COMPLETED)
            return
        if self._collect_errors and run.outcome is not COMPLETED:
            self._collect(job, run.error)
        if run.is_stored and run.outcome is not None:
            self._stored_by_handler(job, run.outcome)
        else:
            self._end(job, run.outcome)

    def _collect(self, job: ClaimedJob, error: BaseException | None) -> None:
        if isinstance(error, Exception) and not isinstance(error, Snooze):
            with suppress(Exception):  # one that takes no attributes, like a frozen dataclass
                error.add_note(f"in {self.runner.describe(job)}")
            self.errors.append(error)

    def _stored_by_handler(self, job: ClaimedJob, outcome: Outcome) -> None:
        self._released(job, outcome, lost=False)
        if job.queue_id is not None:
            self.releaser.queue_freed(job.queue_id)

    def _may_take_next(self) -> bool:
        """Whether the next job of a queue may be taken without a claim of its own."""
        return not (self._swept or self._shutdown.draining.is_set() or self._lost_claims.is_looking)

    def _start_next(self, job: ClaimedJob) -> None:
        ends = self._swept or self._shutdown.draining.is_set()
        (self._give_back if ends else self.slots.start)(job)

    def _claim_lost(self) -> None:
        self._lost_claims.suspect()
        self._wakeup()

    def _hand_back(self, job: ClaimedJob) -> None:
        self.claimer.put(job, self._cut_off() or interrupted(self._retry_delay))

    def _cut_off(self) -> Outcome | None:
        """What becomes of a job whose handler is cancelled now; None: nobody here cancels any."""
        if self._swept:
            # Most of these jobs are somebody else's by now, and this is stored for none of them.
            return HANDED_BACK
        if self._shutdown.aborting.is_set():
            return interrupted(self._retry_delay)
        return None

    @property
    def _capacity(self) -> int:
        """How many jobs may wait for a slot."""
        return 0 if self.local_queue is None else self.local_queue.capacity

    @asynccontextmanager
    async def holding_nothing(self) -> AsyncGenerator[None]:
        """Inside, this worker holds no job, and claims none: what runs is cut off.

        Waits for the database until the last outcome is stored, or known to be nobody's business.
        """
        async with self.claimer.turn:
            self._swept = True
            try:
                if self.local_queue is not None:
                    self.local_queue.clear()
                self.slots.cancel_all()
                with suppress(TimeoutError):
                    async with asyncio.timeout(CANCELLED_END_WITHIN):
                        await self.slots.wait_idle()
                await self.abandon_running()
                self.releaser.flush()
                await self.releaser.wait_empty()
                await self._lost_claims.give_back_all(self._database)
                yield
            finally:
                self._swept = False

    def identifier_of(self, job: ClaimedJob) -> str:
        """The task that a job is of."""
        return self._task_ids[job.task_id].identifier

    async def _hand_back_asking(self, job: ClaimedJob) -> None:
        run = Run(self._cut_off() or interrupted(self._retry_delay), was_cut_off=True)
        if self._events is not None:
            run = await self._events.hand_back(job, run)
        self._end(job, run.outcome)

    def _end(self, job: ClaimedJob, outcome: Outcome | None) -> None:
        if outcome is not None:
            self.claimer.put(job, outcome)
        else:  # a hook wants it so, and then it is not one of a lost claim either
            self._left_locked += filter(None, [self.claimer.locked_as(job)])

    def describe(self, task: asyncio.Task[Any]) -> str | None:
        """What a task of the loop is doing, for the loop monitor."""
        job = self.slots.job_of(task)
        return None if job is None else self.runner.describe(job)

    def _slot_freed(self) -> None:
        if self.local_queue is None:
            if self.slots.free > 0:
                self.claimer.room_made()
        elif not self._shutdown.is_draining:
            self.local_queue.slot_freed()

    def _thread_returned(self) -> None:
        self.slots.unreserve()
        self._slot_freed()

    def _room_made(self) -> None:
        self.claimer.room_made()

    @property
    def _untold(self) -> int:
        """Ends of jobs that slow hooks are still being told of."""
        return 0 if self._events is None else self._events.backlog

    def _job_events(self, hooks: Hooks, identity: WorkerIdentity) -> JobEvents:
        return JobEvents(
            hooks,
            self.runner,
            identity,
            name_of=self.identifier_of,
            on_told=self._room_made,
        )

    def _queue_freed(self) -> None:
        """A named queue that we had locked may have a next job."""
        self.claimer.queue_freed()
        if self.local_queue is not None:
            self.local_queue.queue_freed()
        self._wakeup()

    def _all_completed(self, jobs: list[ClaimedJob]) -> None:
        jobs = self.claimer.as_taken(jobs)
        self.claimer.room_made()
        self.completed += len(jobs)
        if self._events is not None:
            self._events.completed(jobs)

    def _released(self, job: ClaimedJob, outcome: Outcome, *, lost: bool) -> None:
        [job] = self.claimer.as_taken([job])
        self.claimer.room_made()
        if outcome is RETURNED and self.local_queue is not None:
            self.local_queue.returned(lost=lost)
        if self._events is not None:
            self._events.released(job, outcome, lost=lost, is_final=is_final(outcome, job))
        if lost or outcome is RETURNED:
            return
        if outcome is COMPLETED:
            self.completed += 1
        elif is_final(outcome, job):
            self.failed += 1
        else:
            self.retried += 1
