"""A releaser that a test puts outcomes into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from graphile_worker import JobSpec, RawJobSpec, WorkerUtils
from graphile_worker.database.executor import Database
from graphile_worker.database.schema import Schema
from graphile_worker.jobs.claimed_job import ClaimedJob
from graphile_worker.queries.claim_jobs import Look, claim_jobs
from graphile_worker.queries.task_ids import register_tasks
from graphile_worker.recovery.identity import WorkerIdentity
from graphile_worker.tasks.registry import TaskRegistry
from graphile_worker.worker.claim_rules import ClaimRules
from graphile_worker.worker.kept_queues import KeptQueues
from graphile_worker.worker.released import OnReleased
from graphile_worker.worker.releaser import Releaser
from graphile_worker.worker.steady_connection import SteadyConnection
from graphile_worker.worker.task_ids import TaskIds

SCHEMA = Schema("graphile_worker")


RULES = ClaimRules(
    schema=SCHEMA,
    identity=WorkerIdentity("w"),
    forbidden_flags=None,
    use_local_time=False,
    poll_interval=1.0,
    by_index=True,
)


def nothing(*_: object, **__: object) -> None:
    pass


async def claimed(
    database: Database, utils: WorkerUtils, count: int, *, in_queues: bool = False
) -> list[ClaimedJob]:
    """So many jobs, added and claimed."""
    await utils.add_raw_jobs(
        RawJobSpec("t", spec=JobSpec(queue_name=f"q{n}") if in_queues else JobSpec())
        for n in range(count)
    )
    ids = list(await database.run(register_tasks(SCHEMA, ["t"])))
    claim = claim_jobs(
        SCHEMA,
        worker_id="w",
        task_ids=ids,
        forbidden_flags=None,
        now=None,
        limit=count,
        look=Look.QUEUES,
    )
    return await database.run(claim)


def kept_queues(*, may_take: Callable[[], bool] = lambda: False) -> KeptQueues:
    """Those of a worker without slots."""
    return KeptQueues(
        RULES,
        TaskIds(SCHEMA, TaskRegistry([])),
        may_take=may_take,
        reserve=nothing,
        unreserve=nothing,
        start=nothing,
        on_slot_free=nothing,
    )


@asynccontextmanager
async def releasing(
    database: Database,
    *,
    on_released: OnReleased = nothing,
    on_completed: Callable[[list[ClaimedJob]], None] = nothing,
    more_start: Callable[[], bool] = lambda: False,
    claims: SteadyConnection | None = None,
) -> AsyncIterator[Releaser]:
    """One that runs."""
    connection = SteadyConnection(database, "release")
    releaser = Releaser(
        connection,
        RULES,
        kept_queues(),
        claims=claims or SteadyConnection(database, "claim"),
        keeps_sessions=True,
        on_completed=on_completed,
        on_released=on_released,
        on_queue_freed=nothing,
        on_claim_lost=nothing,
        on_room=nothing,
        more_start=more_start,
    )
    run = asyncio.create_task(releaser.run())
    yield releaser
    await asyncio.wait_for(releaser.wait_empty(), 15)
    run.cancel()
    await connection.aclose()
