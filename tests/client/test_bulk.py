"""Very many jobs: in one call, in a stream; whose row is whose; what it costs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import asyncpg
import pytest
from support.running import sql
from support.sent import Sent

from graphile_worker import (
    ConfigurationError,
    JobKeyMode,
    JobNotAddedError,
    JobScheduleFailed,
    JobSpec,
    NewJob,
    PayloadError,
    WorkerUtils,
    task_ref,
)

number = task_ref("number", int)
anything = task_ref("anything", object)
DEDUPE = JobSpec(job_key="k", job_key_mode=JobKeyMode.UNSAFE_DEDUPE)


def numbers(count: int) -> Iterator[NewJob]:
    return (number.job(n) for n in range(count))


async def statistics(url: str) -> int:
    """How many jobs the planner believes in; -1 for a table it has never looked at."""
    async with sql(url) as connection:
        return await connection.fetchval(
            "select reltuples::integer from pg_class "
            "where oid = 'graphile_worker._private_jobs'::regclass"
        )


async def test_a_hundred_thousand_in_one_call_and_one_transaction(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        jobs = await utils.add_jobs(number, range(100_000))
        assert [job.payload for job in jobs] == list(range(100_000))
        assert len({job.id for job in jobs}) == 100_000
        assert (
            await connection.fetchval(
                "select count(distinct xmin::text) from graphile_worker._private_jobs"
            )
            == 1
        )
    assert await statistics(gw_database) == 100_000


async def test_fewer_leave_the_statistics_to_autovacuum(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        await utils.add_jobs(number, range(9_999))
    assert await statistics(gw_database) == -1


async def test_a_stream_comes_in_whole_chunks(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        told: list[int] = []
        added = await utils.add_jobs_stream(
            numbers(10_500), chunk_size=1_000, on_stored=told.append
        )
        assert added == 10_500
        assert told == [*range(1_000, 10_001, 1_000), 10_500]
        sizes = await connection.fetch(
            "select count(*) from graphile_worker._private_jobs group by xmin::text order by 1"
        )
        payloads = await connection.fetch(
            "select payload::text::integer from graphile_worker._private_jobs order by 1"
        )
    assert [row[0] for row in sizes] == [500, *([1_000] * 10)]
    assert [row[0] for row in payloads] == list(range(10_500))
    assert await statistics(gw_database) == 10_500


async def test_an_async_generator_may_read_from_the_same_pool(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database, max_pg_conn=1) as utils:

        async def source() -> AsyncIterator[NewJob]:
            for n in range(700):
                if n % 100 == 0:
                    await utils.stats()
                yield number.job(n)

        assert await utils.add_jobs_stream(source(), chunk_size=300) == 700
        assert (await utils.stats()).total == 700


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 300, 512])
@pytest.mark.parametrize("is_async", [False, True])
async def test_nothing_is_lost_at_the_edges(gw_database: str, count: int, is_async: bool) -> None:
    async def source() -> AsyncIterator[NewJob]:
        for job in numbers(count):
            yield job

    async with WorkerUtils.connect(gw_database) as utils:
        jobs = source() if is_async else numbers(count)
        assert await utils.add_jobs_stream(jobs, chunk_size=256) == count
        assert (await utils.stats()).total == count


@pytest.mark.parametrize("is_async", [False, True])
async def test_where_the_source_fails_full_chunks_are_stored(
    gw_database: str, is_async: bool
) -> None:
    def failing() -> Iterator[NewJob]:
        yield from numbers(25)
        raise LookupError("no more")

    async def failing_later() -> AsyncIterator[NewJob]:
        for job in failing():
            yield job

    async with WorkerUtils.connect(gw_database) as utils:
        with pytest.raises(LookupError, match="no more"):
            await utils.add_jobs_stream(failing_later() if is_async else failing(), chunk_size=10)
        assert (await utils.stats()).total == 20


async def test_where_a_chunk_cannot_be_stored_the_stream_ends(gw_database: str) -> None:
    taken = 0

    def source() -> Iterator[NewJob]:
        nonlocal taken
        for n in range(100):
            taken += 1
            yield anything.job(n, DEDUPE if n == 15 else None)

    async with WorkerUtils.connect(gw_database) as utils:
        with pytest.raises(JobScheduleFailed, match="UNSAFE_DEDUPE"):
            await utils.add_jobs_stream(source(), chunk_size=10)
        assert (await utils.stats()).total == 10
    assert taken <= 40


async def test_a_cancelled_stream_leaves_nothing_running(gw_database: str) -> None:
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[NewJob]:
        for n in range(10**9):
            if n == 25:
                reached.set()
                await asyncio.Event().wait()
            yield number.job(n)

    async with WorkerUtils.connect(gw_database, max_pg_conn=1) as utils:
        adding = asyncio.create_task(utils.add_jobs_stream(endless(), chunk_size=10))
        await reached.wait()
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        assert len(asyncio.all_tasks()) == 1
        assert (await utils.stats()).total in {10, 20}


async def test_the_event_loop_is_not_held_up(gw_database: str) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with WorkerUtils.connect(gw_database) as utils:
        other = asyncio.create_task(others())
        await utils.add_jobs_stream(numbers(5_000))
        other.cancel()
    assert turns > 5_000 / 256


async def test_keys_in_a_stream_are_taken_in_order(gw_database: str) -> None:
    keyed = [anything.job([n], JobSpec(job_key=f"{n % 3}")) for n in range(9)]
    async with WorkerUtils.connect(gw_database) as utils:
        assert await utils.add_jobs_stream(keyed, chunk_size=7) == 9
        jobs = await utils.list_jobs()
    assert sorted(job.payload for job in jobs) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


async def test_empty_calls_send_nothing() -> None:
    sent = Sent()
    utils = WorkerUtils(sent)
    assert await utils.add_jobs([]) == []
    assert await utils.add_jobs(number, []) == []
    assert await utils.add_raw_jobs([]) == []
    assert await utils.add_jobs_stream([]) == 0
    assert await utils.add_jobs_stream(iter(())) == 0
    with pytest.raises(JobScheduleFailed, match="at least one item"):
        await utils.add_batch_job(task_ref("batch", list[int]), [])
    assert sent.names == []


@pytest.mark.parametrize(
    ("wrong", "says"), [(0, "at least 1"), (True, "whole number"), (1.5, "whole number")]
)
async def test_a_chunk_that_makes_no_sense(wrong: int, says: str) -> None:
    with pytest.raises(ConfigurationError, match=f"chunk_size must be .*{says}"):
        await WorkerUtils(Sent()).add_jobs_stream([], chunk_size=wrong)


async def test_what_is_no_job_is_refused_before_anything_is_sent() -> None:
    utils = WorkerUtils(Sent())
    for wrong in (("number", 1), "number", None):
        with pytest.raises(ConfigurationError, match=r"made with task\.job\(…\), got"):
            await utils.add_jobs([number.job(1), wrong])  # type: ignore[list-item]
        with pytest.raises(ConfigurationError, match=r"made with task\.job\(…\), got"):
            await utils.add_jobs_stream([wrong])  # type: ignore[list-item]
    with pytest.raises(PayloadError):
        await utils.add_jobs(number, [1, "2"])  # type: ignore[list-item]


async def test_mixed_modes_are_kept_apart(gw_database: str) -> None:
    """One job that preserves its time does not make the others do so."""
    late = JobSpec(run_at=timedelta(hours=1), job_key="a")
    async with WorkerUtils.connect(gw_database) as utils:
        first = await utils.add_jobs(
            [
                anything.job(1, late),
                anything.job(1, JobSpec(run_at=timedelta(hours=1), job_key="b")),
            ]
        )
        moved = JobSpec(run_at=timedelta(hours=9), job_key="a")
        kept = JobSpec(
            run_at=timedelta(hours=9), job_key="b", job_key_mode=JobKeyMode.PRESERVE_RUN_AT
        )
        a, b = await utils.add_jobs([anything.job(2, moved), anything.job(2, kept)])
    assert [a.id, b.id] == [job.id for job in first]
    assert a.run_at > first[0].run_at
    assert b.run_at == first[1].run_at


async def test_many_with_the_same_key_come_back_as_a_loop_would(gw_database: str) -> None:
    spec = JobSpec(job_key="k")
    async with WorkerUtils.connect(gw_database) as utils:
        jobs = await utils.add_jobs([anything.job([n], spec) for n in range(50)])
    assert [job.revision for job in jobs] == list(range(50))
    assert [job.payload for job in jobs] == [list(range(n + 1)) for n in range(50)]
    assert len({job.id for job in jobs}) == 1


async def test_waves_are_one_statement_even_where_every_statement_commits(
    gw_database: str,
) -> None:
    """A caller's connection without a transaction: the second wave fails, so the first is undone."""
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await connection.execute(
            "alter table graphile_worker._private_jobs add check (revision < 1)"
        )
        jobs = [anything.job(n, JobSpec(job_key="k")) for n in range(2)]
        with pytest.raises(asyncpg.CheckViolationError):
            await utils.with_executor(connection).add_jobs(jobs)
        assert (await utils.stats()).total == 0


async def test_nodes_race_undoes_the_chunk_and_names_the_key(gw_database: str) -> None:
    """Node's add_jobs answers with fewer rows where a key's job is being claimed."""
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        await connection.execute(
            """
            alter function graphile_worker.add_jobs rename to all_jobs;
            create function graphile_worker.add_jobs(
              specs graphile_worker.job_spec[], job_key_preserve_run_at boolean default false
            ) returns setof graphile_worker._private_jobs language sql as $$
              select * from graphile_worker.all_jobs(
                array(select s from unnest(specs) as s where s.job_key is distinct from 'held'),
                job_key_preserve_run_at
              )
            $$
            """
        )
        jobs = [number.job(n, JobSpec(job_key=key)) for n, key in enumerate(["a", "held", "b"])]
        with pytest.raises(JobNotAddedError, match="'held'"):
            await utils.add_jobs_stream(jobs)
        with pytest.raises(JobNotAddedError, match="'held'"):
            await utils.add_jobs(jobs)
        assert (await utils.stats()).total == 0


async def test_a_role_without_rights_to_analyze_is_no_failure(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        role = f"role_{gw_database.partition('?')[0].rpartition('_')[2]}"
        await connection.execute(
            f"""
            create role {role} bypassrls;
            grant usage on schema graphile_worker to {role};
            grant all on all tables in schema graphile_worker to {role};
            """
        )
        try:
            pool = await asyncpg.create_pool(
                gw_database, min_size=0, max_size=1, server_settings={"role": role}
            )
            async with pool:
                jobs = await WorkerUtils(pool).add_jobs(number, range(10_000))
            assert len(jobs) == 10_000
            assert (await utils.stats()).total == 10_000
        finally:
            await connection.execute(f"drop owned by {role}; drop role {role}")


async def test_inside_a_callers_transaction_nothing_is_analyzed(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        bound = utils.with_executor(connection)
        async with connection.transaction():
            await bound.add_jobs(number, range(10_000))
            await bound.add_jobs_stream(numbers(10_000))
    assert await statistics(gw_database) == -1


async def test_a_stream_on_a_connection_may_read_from_that_connection(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        async with connection.transaction():

            async def source() -> AsyncIterator[NewJob]:
                async for row in connection.cursor("select generate_series(1, 100)", prefetch=7):
                    yield number.job(row[0])

            bound = utils.with_executor(connection)
            assert await bound.add_jobs_stream(source(), chunk_size=10) == 100
            assert (await utils.stats()).total == 0
        assert (await utils.stats()).total == 100
