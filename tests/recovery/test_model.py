"""Claims, releases, sweeps and force-unlocks in any order, against a model of what they mean.

The statements are the real ones, on a real database. Time passes by moving every time in the
tables into the past, in steps so large that the seconds of the test do not matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from graphile_worker import WorkerRecoveryConfig
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.jobs.outcome import Unfinished, Verdict
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.release_jobs import (
    complete_in_transaction,
    release_claim,
    release_completed,
    release_unfinished,
    return_lost_claims,
)
from graphile_worker.queries.task_ids import register_tasks
from graphile_worker.queries.workers import heartbeat, register_worker
from graphile_worker.recovery.sweep import Sweep
from graphile_worker.recovery.sweeping import sweep

T = TypeVar("T")

SCHEMA = Schema("graphile_worker")
JOBS = "graphile_worker._private_jobs"
MINUTES_SILENT = 60
CONFIG = WorkerRecoveryConfig(
    sweep_threshold=timedelta(minutes=MINUTES_SILENT), recovery_delay=0, max_refunds=2
)
WORKERS = st.integers(0, 2)
WAYS_TO_END = ("complete", "complete among others", "in its transaction", "fail", "return")


@dataclass
class ModelJob:
    """What the table should say of a job."""

    queue: str | None
    max_attempts: int
    attempts: int = 0
    holder: str | None = None
    deaths: int = 0
    minutes_to_wait: int = 0

    @property
    def is_ready(self) -> bool:
        return (
            self.holder is None and self.attempts < self.max_attempts and self.minutes_to_wait <= 0
        )


@dataclass
class ModelWorker:
    """A worker as others see it, and what it believes to hold."""

    id: str
    registered: bool = True
    minutes_silent: int = 0
    believes: list[ClaimedJob] = field(default_factory=list)


class Fleet(RuleBasedStateMachine):
    """Three workers, two queues, and whatever hypothesis thinks of."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database: Database = self.do(connect(self.url, max_connections=2))
        self.sql: asyncpg.Connection = self.do(asyncpg.connect(self.url))
        self.jobs: dict[int, ModelJob] = {}
        self.claims: dict[int, ClaimedJob] = {}
        self.workers = [ModelWorker(f"w{n}") for n in range(3)]

    def do(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def run(self, statement: Any) -> Any:
        return self.do(self.database.run(statement))

    def teardown(self) -> None:
        self.do(self.database.aclose())
        self.do(self.sql.close())
        self.runner.close()

    @initialize()
    def begin(self) -> None:
        tables = "_private_jobs", "_private_job_queues", "_private_workers"
        names = ", ".join(f"graphile_worker.{name}" for name in tables)
        self.do(self.sql.execute(f"truncate {names}"))
        [self.task_id] = self.run(register_tasks(SCHEMA, ["t"]))
        for worker in self.workers:
            self.run(register_worker(SCHEMA, worker.id, "{}"))

    @rule(queue=st.sampled_from([None, None, "q", "r"]), max_attempts=st.sampled_from([1, 3]))
    def add(self, queue: str | None, max_attempts: int) -> None:
        text = "select id from graphile_worker.add_job('t', queue_name => $1, max_attempts => $2)"
        job = self.do(self.sql.fetchval(text, queue, max_attempts))
        self.jobs[job] = ModelJob(queue, max_attempts)

    @rule(index=WORKERS, limit=st.sampled_from([1, 3, 8]))
    def claim(self, index: int, limit: int) -> None:
        worker = self.workers[index]
        ready = {job for job, model in self.jobs.items() if model.is_ready}
        locked = {model.queue for model in self.jobs.values() if model.holder and model.queue}
        free = {job for job in ready if self.jobs[job].queue not in locked}
        possible = sum(self.jobs[job].queue is None for job in free) + len(
            {self.jobs[job].queue for job in free} - {None}
        )
        claimed = self.claim_of(worker, limit)
        assert {job.id for job in claimed} <= free
        assert len(claimed) == min(limit, possible)
        queues = [job.queue_id for job in claimed if job.queue_id is not None]
        assert len(set(queues)) == len(queues)
        for job in claimed:
            model = self.jobs[job.id]
            model.holder = worker.id
            model.attempts += 1
            assert job.attempts == model.attempts
            self.claims[job.id] = job
        worker.believes += claimed

    def claim_of(self, worker: ModelWorker, limit: int) -> list[ClaimedJob]:
        return self.run(
            claim_jobs(
                SCHEMA,
                worker_id=worker.id,
                task_ids=[self.task_id],
                forbidden_flags=None,
                now=None,
                limit=limit,
                look=Look.HEADS,
            )
        )

    @precondition(lambda self: any(worker.believes for worker in self.workers))
    @rule(data=st.data(), how=st.sampled_from(WAYS_TO_END))
    def release(self, data: st.DataObject, how: str) -> None:
        worker = data.draw(st.sampled_from([one for one in self.workers if one.believes]))
        job = data.draw(st.sampled_from(worker.believes))
        worker.believes.remove(job)
        is_ours = self.holds(worker, job)
        if how == "complete":
            release = release_claim(SCHEMA, worker_id=worker.id, jobs=[job])
            stored = dict.fromkeys(self.run(release), True)
        elif how == "complete among others":
            stored = self.run(release_completed(SCHEMA, worker_id=worker.id, jobs=[job]))
        elif how == "in its transaction":
            done = self.run(complete_in_transaction(SCHEMA, worker_id=worker.id, job=job))
            stored = {job.id: True} if done else {}
        else:
            outcome = (
                Unfinished(Verdict.SPENT, "no", 0.0)
                if how == "fail"
                else Unfinished(Verdict.REFUNDED, None, 0.0)
            )
            stored = self.run(
                release_unfinished(SCHEMA, worker_id=worker.id, jobs=[(job, outcome)])
            )
        assert stored == ({job.id: True} if is_ours else {})
        if not is_ours:
            return
        del self.claims[job.id]
        if how not in {"fail", "return"}:
            del self.jobs[job.id]
            return
        model = self.jobs[job.id]
        model.holder = None
        if how == "return":
            model.attempts -= 1
        else:
            model.deaths = 0

    def holds(self, worker: ModelWorker, job: ClaimedJob) -> bool:
        model = self.jobs.get(job.id)
        return model is not None and model.holder == worker.id and self.claims[job.id] is job

    @rule(index=WORKERS)
    def lose_the_answer_of_a_claim(self, index: int) -> None:
        """Claimed, and given back as soon as the worker is connected again."""
        worker = self.workers[index]
        self.claim_of(worker, 2)
        # Swept and claimed again: what it believes of the first claim is no longer true.
        held = [job for job in worker.believes if self.holds(worker, job)]
        self.run(return_lost_claims(SCHEMA, worker_id=worker.id, held=held))

    @rule(index=WORKERS)
    def beat(self, index: int) -> None:
        worker = self.workers[index]
        alive = self.run(heartbeat(SCHEMA, worker.id)) is not None
        assert alive == worker.registered
        if alive:
            worker.minutes_silent = 0
            return
        # It was swept: another worker from now on, who believes to hold nothing.
        generation = int(worker.id.partition(".")[2] or 0) + 1
        self.run(return_lost_claims(SCHEMA, worker_id=worker.id, held=[]))
        for model in self.jobs.values():
            if model.holder == worker.id:
                model.holder = None
                model.attempts -= 1
        self.workers[index] = ModelWorker(f"w{index}.{generation}")
        self.run(register_worker(SCHEMA, self.workers[index].id, "{}"))

    @rule(minutes=st.sampled_from([7, 25, 61]))
    def let_time_pass(self, minutes: int) -> None:
        ago = timedelta(minutes=minutes)
        for table, columns in (
            ("_private_jobs", ("run_at", "locked_at", "updated_at")),
            ("_private_job_queues", ("locked_at",)),
            ("_private_workers", ("last_heartbeat_at",)),
        ):
            moved = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
            self.do(self.sql.execute(f"update graphile_worker.{table} set {moved}", ago))
        for worker in self.workers:
            worker.minutes_silent += minutes
            worker.believes = [self.moved(job, ago) for job in worker.believes]
        for model in self.jobs.values():
            model.minutes_to_wait -= minutes

    def moved(self, job: ClaimedJob, ago: timedelta) -> ClaimedJob:
        moved = job._replace(locked_at=job.locked_at - ago.total_seconds())
        if self.claims.get(job.id) is job:
            self.claims[job.id] = moved
        return moved

    @rule()
    def sweep(self) -> None:
        dead = {
            worker.id
            for worker in self.workers
            # The test itself takes its time: sixty minutes of the model are a little more.
            if worker.registered and worker.minutes_silent >= MINUTES_SILENT
        }
        result = self.do(sweep(self.database, Sweep(schema=SCHEMA, config=CONFIG)))
        assert set(result.worker_ids) == dead
        lost = [model for model in self.jobs.values() if model.holder in dead]
        assert result.recovered_count == len(lost)
        for model in lost:
            self.die(model)
        for worker in self.workers:
            if worker.id in dead:
                worker.registered = False

    @staticmethod
    def die(model: ModelJob) -> None:
        model.holder = None
        model.deaths += 1
        if model.deaths > CONFIG.max_refunds:
            model.minutes_to_wait = 1  # exp(attempts) seconds, at most 20
        else:
            model.attempts -= 1

    @rule(index=WORKERS)
    def force_unlock(self, index: int) -> None:
        worker = self.workers[index]
        self.do(self.sql.execute("select graphile_worker.force_unlock_workers($1)", [worker.id]))
        for model in self.jobs.values():
            if model.holder == worker.id:
                model.holder = None

    @invariant()
    def the_table_says_what_the_model_says(self) -> None:
        rows = self.do(self.sql.fetch(f"select id, attempts, locked_by from {JOBS}"))
        found = {row["id"]: (row["attempts"], row["locked_by"]) for row in rows}
        assert found == {job: (m.attempts, m.holder) for job, m in self.jobs.items()}
        rows = self.do(
            self.sql.fetch(
                "select queue_name, locked_by from graphile_worker._private_job_queues "
                "where locked_at is not null"
            )
        )
        queues = [(m.queue, m.holder) for m in self.jobs.values() if m.queue and m.holder]
        assert len({queue for queue, _ in queues}) == len(queues), "two jobs of one queue"
        assert {row["queue_name"]: row["locked_by"] for row in rows} == dict(queues)


@pytest.mark.timeout(300)  # a few hundred statements, which a crowded machine is slow with
def test_a_fleet_does_what_the_model_does(gw_database: str) -> None:
    class OnThisDatabase(Fleet):
        url = gw_database

    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
