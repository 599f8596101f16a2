"""Conflicts with others: given way to in transactions of ours, told of in those of the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from support.running import sql

from graphile_worker import (
    BeforeJobSchedule,
    CleanupTask,
    DatabaseError,
    HookRegistry,
    RawJobSpec,
    SyncWorkerUtils,
    WorkerUtils,
    task,
)
from graphile_worker.database import conflicts

CONFLICT = """
create sequence public.tries;
create function public.conflict() returns trigger language plpgsql as $$
begin
  -- What a sequence has given out, no rollback takes back.
  if nextval('public.tries') % 3 <> 0 then
    raise exception 'chosen to give way' using errcode = tg_argv[0];
  end if;
  return null;
end $$;
create trigger conflict after insert or delete on graphile_worker._private_jobs
  for each statement execute function public.conflict('{}');
"""
"""Every third try succeeds. (Adding is an upsert, which would fire for an update too.)"""


@task
async def work(payload: int) -> None: ...


@pytest.fixture(params=["40001", "40P01"])
async def conflicted(gw_database: str, request: Any) -> AsyncIterator[asyncpg.Connection]:
    async with sql(gw_database) as connection:
        await connection.execute(CONFLICT.format(request.param))
        yield connection


async def tries(connection: asyncpg.Connection) -> int:
    return await connection.fetchval(
        "select case when is_called then last_value else 0 end from tries"
    )


async def test_what_gave_way_is_done_again(
    gw_database: str, conflicted: asyncpg.Connection
) -> None:
    asked: list[Any] = []
    hooks = HookRegistry()
    hooks.on(BeforeJobSchedule, asked.append)
    async with WorkerUtils.connect(gw_database, hooks=hooks) as utils:
        job = await utils.add_job(work, 1)
        jobs = await utils.add_jobs(work, [2, 3])
        assert await utils.add_jobs_stream(work.job(n) for n in (4, 5)) == 2
        await utils.add_raw_jobs([RawJobSpec("work", 6)])
        assert len((await utils.complete_jobs([job])).changed) == 1
        await utils.permanently_fail_jobs(jobs)
        deleted = await utils.cleanup([CleanupTask.DELETE_PERMANENTLY_FAILED_JOBS])
        assert sum(deleted.values()) == 2
        stored = [job.payload for job in await utils.list_jobs()]
    assert stored == [4, 5, 6], "each once"
    assert [event.payload for event in asked] == [1, 2, 3, 4, 5, 6], "each asked about once"
    assert await tries(conflicted) == 6 * 3


def test_the_same_without_a_loop(gw_database: str, conflicted: asyncpg.Connection) -> None:
    with SyncWorkerUtils.connect(gw_database) as utils:
        job = utils.add_job(work, 1)
        utils.add_jobs(work, [2, 3])
        assert utils.add_jobs_stream(work.job(n) for n in (4, 5)) == 2
        utils.complete_jobs([job])
        assert [job.payload for job in utils.list_jobs()] == [2, 3, 4, 5]


async def test_a_connection_of_the_callers_is_told_of_it(
    gw_database: str, conflicted: asyncpg.Connection
) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as callers:
        bound = utils.with_executor(callers)
        for call in (lambda: bound.add_job(work, 1), lambda: bound.add_jobs(work, [1])):
            before = await tries(conflicted)
            with pytest.raises(asyncpg.PostgresError, match="chosen to give way"):
                await call()
            assert await tries(conflicted) == before + 1


@pytest.mark.parametrize("call", [lambda u: u.add_job(work, 1), lambda u: u.add_jobs(work, [1])])
async def test_who_gives_way_does_not_do_so_for_ever(
    gw_database: str,
    conflicted: asyncpg.Connection,
    call: Callable[[WorkerUtils], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conflicts, "MOST_TRIES", 2)
    async with WorkerUtils.connect(gw_database) as utils:
        with pytest.raises(DatabaseError, match="chosen to give way") as caught:
            await call(utils)
    assert caught.value.sqlstate in conflicts.CONFLICTS
    assert await tries(conflicted) == 2


async def test_other_errors_are_raised_at_once(gw_database: str) -> None:
    async with sql(gw_database) as connection, WorkerUtils.connect(gw_database) as utils:
        await connection.execute(CONFLICT.format("P0001"))
        with pytest.raises(DatabaseError, match="chosen to give way"):
            await utils.add_job(work, 1)
        assert await tries(connection) == 1
