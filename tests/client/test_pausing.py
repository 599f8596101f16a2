"""Pausing by calls: what they answer, refuse, and leave in the schema."""

from __future__ import annotations

from typing import Any

import pytest
from support.running import sql

from graphile_worker import (
    ConfigurationError,
    Cron,
    DatabaseError,
    SyncWorkerUtils,
    WorkerContext,
    WorkerUtils,
    task,
    task_ref,
)
from graphile_worker.client.open_database import open_database


@task("mail:send", payload=None)
async def send() -> None: ...


class Render:
    IDENTIFIER = "render"

    async def run(self, ctx: WorkerContext) -> None: ...


def test_without_an_event_loop(gw_database: str) -> None:
    with SyncWorkerUtils.connect(gw_database) as utils:
        assert utils.paused().everything is None
        assert not utils.resume_task("mail:send")
        assert utils.pause_task(send, by="ada").name == "mail:send"
        assert utils.pause_cron(Cron.hourly_at(send, 5).id("hourly")).name == "hourly"
        assert utils.pause_all(by="bob").paused_by == "bob"
        assert utils.pause_queue("q", by="ada").paused_by == "ada"
        paused = utils.paused()
        assert paused.everything is not None
        assert [pause.name for pause in paused.tasks] == ["mail:send"]
        assert [pause.name for pause in paused.crons] == ["hourly"]
        assert [queue.queue_name for queue in paused.queues] == ["q"]
        assert utils.resume_task(task_ref("mail:send", dict[str, Any]))
        assert utils.resume_cron("hourly")
        assert utils.resume_all()
        assert utils.resume_queue("q").was_paused
        assert utils.finish_resuming() == []
        now = utils.paused()
        assert (now.everything, now.tasks, now.crons, now.queues) == (None, [], [], [])


async def test_a_task_class_is_paused_by_its_identifier(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        assert (await utils.pause_task(Render)).name == "render"


async def test_who_paused_first_is_told_and_who_paused_again(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        first = await utils.pause_task("t", by="ada")
        assert await utils.pause_task("t", by="bob") == first
        await utils.resume_task("t")
        assert (await utils.pause_task("t", by="bob")).paused_by == "bob"
        await utils.pause_queue("q: 1", by="a:da")
        assert (await utils.pause_queue("q: 1", by="bob")).paused_by == "a:da"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda utils: utils.pause_queue(""), "expected the name of a queue, got ''"),
        (lambda utils: utils.pause_queue("q" * 129), "at most 128 characters"),
        (lambda utils: utils.pause_queue("q", by="a\0"), "by must not contain a NUL"),
        (lambda utils: utils.pause_task(7), "a task identifier must be a string, got 7"),
        (lambda utils: utils.pause_cron(""), "a cron entry has a name, got an empty one"),
        (lambda utils: utils.resume_queue(None), "expected the name of a queue, got None"),
    ],
)
async def test_what_cannot_be_paused_is_refused(gw_database: str, call: Any, said: str) -> None:
    async with WorkerUtils.connect(gw_database) as utils:
        with pytest.raises(ConfigurationError, match=said):
            await call(utils)


async def test_pausing_queues_makes_no_table_and_pausing_tasks_one_with_its_ledger(
    gw_database: str,
) -> None:
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as db:
        await utils.pause_queue("q")
        assert await ours(db) == []
        await utils.pause_task("t")
        assert await ours(db) == ["_gwx_meta", "_gwx_pause"]
        newest = await db.fetchval("select max(id) from graphile_worker.migrations")
        await utils.migrate()
        assert await db.fetchval("select max(id) from graphile_worker.migrations") == newest


async def test_a_role_that_may_not_make_tables_is_told_what_to_grant(gw_database: str) -> None:
    async with sql(gw_database) as db:
        role = "gw_pauser_" + (await db.fetchval("select current_database()"))[-12:]
        await db.execute(f"create role {role}; grant usage on schema graphile_worker to {role}")
        await db.execute(f"set role {role}")
        with pytest.raises(Exception, match="permission denied"):
            await WorkerUtils(db).pause_task("t")
        await db.execute("reset role")
        database = await open_database(f"{gw_database}&options=-crole%3D{role}")
        with pytest.raises(DatabaseError, match="as its owner: grant create on schema"):
            await WorkerUtils(database).history.install()
        await database.aclose()
        await db.execute(f"drop owned by {role}; drop role {role}")


async def ours(db: Any) -> list[str]:
    rows = await db.fetch(
        "select relname from pg_class where relname like '\\_gwx%' and relkind in ('r', 'p') "
        "order by 1"
    )
    return [row[0] for row in rows]
