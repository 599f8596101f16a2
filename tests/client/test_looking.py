"""Queues, owners of locks, registered workers, and the finer states of jobs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from support.running import sql

from graphile_worker import ConfigurationError, Job, JobSpec, JobState, WorkerUtils


async def change(url: str, job: Job, what: str) -> None:
    async with sql(url) as connection:
        await connection.execute(
            f"update graphile_worker._private_jobs set {what} where id = $1", job.id
        )


async def heartbeat(url: str, worker_id: str, *, ago: str = "0", metadata: object = None) -> None:
    async with sql(url) as connection:
        await connection.execute(
            "select graphile_worker.worker_heartbeat($1, $2::text::json)",
            worker_id,
            None if metadata is None else json.dumps(metadata),
        )
        await connection.execute(
            "update graphile_worker._private_workers "
            f"set last_heartbeat_at = now() - interval '{ago}' where id = $1",
            worker_id,
        )


async def test_queues_count_their_jobs(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        assert await utils.queues() == []
        await utils.add_raw_job("t")
        for delay in (0, 0, 60):
            await utils.add_raw_job(
                "t", None, JobSpec(queue_name="b", run_at=timedelta(seconds=delay))
            )
        await utils.add_raw_job("t", None, JobSpec(queue_name="a"))
        await connection.execute(
            "update graphile_worker._private_job_queues "
            "set locked_at = now(), locked_by = 'w' where queue_name = 'a'"
        )
        a, b = await utils.queues()
    assert (a.queue_name, a.job_count, a.ready_count, a.locked_by) == ("a", 1, 1, "w")
    assert a.locked_at is not None
    assert (b.queue_name, b.job_count, b.ready_count, b.locked_by) == ("b", 3, 2, None)


async def test_workers_that_tell_that_they_live(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await heartbeat(gw_database, "old", ago="10 minutes")
        await heartbeat(gw_database, "new", metadata={"tasks": ["t"]})
        new, old = await utils.list_active_workers()
        assert (new.worker_id, new.is_stale, new.metadata) == ("new", False, {"tasks": ["t"]})
        assert (old.worker_id, old.is_stale, old.metadata) == ("old", True, None)
        assert old.last_heartbeat_at < new.last_heartbeat_at
        assert not any(w.is_stale for w in await utils.list_active_workers(timedelta(hours=1)))
        assert [w.is_stale for w in await utils.list_active_workers(60)] == [False, True]
        with pytest.raises(ConfigurationError, match="threshold must be"):
            await utils.list_active_workers(-1)


async def test_finer_states_divide_the_four(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await heartbeat(gw_database, "alive", metadata={"tasks": ["known"]})
        await heartbeat(gw_database, "dead", ago="10 minutes")
        running = await utils.add_raw_job("known")
        await change(gw_database, running, "locked_by = 'alive', locked_at = now()")
        silent = await utils.add_raw_job("known")
        await change(gw_database, silent, "locked_by = 'dead', locked_at = now()")
        old = await utils.add_raw_job("known")
        await change(
            gw_database, old, "locked_by = 'alive', locked_at = now() - interval '5 hours'"
        )
        retrying = await utils.add_raw_job("known", None, JobSpec(run_at=timedelta(hours=1)))
        await change(gw_database, retrying, "attempts = 1")
        scheduled = await utils.add_raw_job("known", None, JobSpec(run_at=timedelta(hours=1)))
        blocked = await utils.add_raw_job("unknown", None, JobSpec(queue_name="q"))
        await connection.execute(
            "update graphile_worker._private_job_queues set locked_by = 'alive', locked_at = now()"
        )
        ready = await utils.add_raw_job("known")
        unclaimed = await utils.add_raw_job("unknown")
        for job in (blocked, ready, unclaimed):
            ago = "now() - interval '2 minutes'"
            await change(gw_database, job, f"run_at = {ago}, created_at = {ago}")

        async def ids(state: str | JobState) -> list[int]:
            return [job.id for job in await utils.list_jobs(state)]

        assert await ids("running") == [running.id]
        assert await ids("stuck") == [silent.id, old.id]
        assert await ids("retrying") == [retrying.id]
        assert await ids("blocked") == [blocked.id]
        assert await ids("unclaimed") == [unclaimed.id]
        assert await ids("locked") == [running.id, silent.id, old.id]
        assert await ids("scheduled") == [retrying.id, scheduled.id]
        assert await ids(JobState.READY) == [blocked.id, ready.id, unclaimed.id]


async def test_unclaimed_is_only_said_where_all_workers_are_known(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        job = await utils.add_raw_job("unknown")
        await change(
            gw_database,
            job,
            "run_at = now() - interval '1 hour', created_at = run_at - interval '1 hour'",
        )
        await heartbeat(gw_database, "python", metadata={"tasks": []})
        assert len(await utils.list_jobs("unclaimed")) == 1
        await heartbeat(gw_database, "rust", metadata={"pid": 1})
        assert await utils.list_jobs("unclaimed") == []
        await heartbeat(gw_database, "rust", metadata={"tasks": "nonsense"})
        assert await utils.list_jobs("unclaimed") == []
        await heartbeat(gw_database, "rust", metadata={"tasks": ["unknown"]})
        assert await utils.list_jobs("unclaimed") == []
        await heartbeat(gw_database, "rust", metadata={"tasks": ["other"]})
        assert len(await utils.list_jobs("unclaimed")) == 1
        other = await utils.add_raw_job("t")
        await change(gw_database, other, "locked_by = 'unregistered', locked_at = now()")
        assert await utils.list_jobs("unclaimed") == []


async def test_a_search_looks_at_owners_and_trims(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        job = await utils.add_raw_job("t", {"percent": "100%"})
        await change(gw_database, job, "locked_by = 'Worker-7', locked_at = now()")
        assert await utils.list_jobs(search="  worker-7 ") == [await utils.get_job(job.id)]
        assert len(await utils.list_jobs(search="   ")) == 1
        assert len(await utils.list_jobs(search="100%")) == 1
        assert await utils.list_jobs(search="_") == []
        with pytest.raises(ConfigurationError, match="search must not contain a NUL"):
            await utils.list_jobs(search="\0")
