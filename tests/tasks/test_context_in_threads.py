"""`ctx.utils` of handlers that run in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from support.running import sql

from graphile_worker import (
    DatabaseError,
    JobSpec,
    RawJobSpec,
    SyncWorkerContext,
    SyncWorkerUtils,
    WorkerOptions,
    batch_task,
    task,
)

T = TypeVar("T")


@task
async def other(payload: int) -> None: ...


@batch_task
async def many(items: list[int]) -> None: ...


async def in_a_thread(url: str, look: Callable[[SyncWorkerUtils], Any]) -> Any:
    """What a look at `ctx.utils` of a job answers."""
    seen: list[Any] = []

    @task(payload=None)
    def work(ctx: SyncWorkerContext) -> None:
        seen.append(look(ctx.utils))

    async with WorkerOptions(database_url=url, tasks=[work], max_pg_conn=6).init() as worker:
        await worker.create_utils().add_job(work)
        await worker.run_once(raise_on_failure=True)
    return seen[0]


async def test_jobs_are_added_changed_and_looked_at(gw_database: str) -> None:
    def look(utils: SyncWorkerUtils) -> Any:
        later = JobSpec(run_at=None, priority=3)
        added = utils.add_jobs([other.job(number, later) for number in range(3)])
        utils.complete_jobs(added[:1])
        failed = utils.permanently_fail_jobs(added[1:2], "so it is").changed
        assert utils.cleanup()
        return utils.stats().total, [job.last_error for job in failed], added[2].priority

    # The job that looks is the other one that is left.
    assert await in_a_thread(gw_database, look) == (2, ["so it is"], 3)


async def test_history_migrations_and_sweeps_work_too(gw_database: str) -> None:
    def look(utils: SyncWorkerUtils) -> Any:
        utils.migrate()
        utils.history.install()
        return utils.sweep_stale_workers().worker_ids, utils.schema, utils.history.status()

    dead, schema, status = await in_a_thread(gw_database, look)
    assert (dead, schema) == ([], "graphile_worker")
    assert status is not None


async def test_what_fails_in_the_middle_leaves_nothing_and_says_why(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await connection.execute(
            "alter table graphile_worker._private_jobs add constraint odd check (priority <> 7)"
        )

        def look(utils: SyncWorkerUtils) -> Any:
            jobs = [other.job(1), other.job(2, JobSpec(priority=7))]
            try:
                utils.add_jobs(jobs)
            except DatabaseError as error:
                return error.sqlstate, utils.stats().total

        assert await in_a_thread(gw_database, look) == ("23514", 1)


async def test_what_is_to_be_added_is_made_in_the_handlers_thread(gw_database: str) -> None:
    """A generator may block or use the context: on the event loop it would stop the worker."""

    @task(payload=None)
    def work(ctx: SyncWorkerContext) -> None:
        thread = threading.current_thread()

        def made(*items: T) -> Iterator[T]:
            for item in items:
                assert threading.current_thread() is thread
                ctx.add_raw_job("aside")
                yield item

        ctx.add_jobs(other, made(1, 2))
        ctx.add_jobs(made(other.job(3)))
        ctx.add_raw_jobs(made(RawJobSpec("other", 4)))
        ctx.add_batch_job(many, made(5, 6))

    async with WorkerOptions(database_url=gw_database, tasks=[work]).init() as worker:
        utils = worker.create_utils()
        await utils.add_job(work)
        await worker.run_once(raise_on_failure=True)
        left = [(job.task_identifier, job.payload) for job in await utils.list_jobs()]
    assert [payload for name, payload in left if name == "other"] == [1, 2, 3, 4]
    assert [payload for name, payload in left if name == "many"] == [[5, 6]]
    assert [name for name, _ in left].count("aside") == 6
