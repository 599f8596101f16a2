"""Lists that no index serves, read from what all viewers share: they are those of the table."""

from __future__ import annotations

import random
from typing import Any

import pytest
from support.admin import Service, service
from support.running import sql

from graphile_worker.admin.service import tried_jobs
from graphile_worker.admin.service.actions import Act, JobAction
from graphile_worker.admin.service.filters import filter_of
from graphile_worker.queries import admin_samples

TABLE = "graphile_worker._private_jobs"
TASK = "(select id from graphile_worker._private_tasks where identifier = 'rare')"
NAIVE = {
    "locked": ("locked_at is not null", "locked_at, id"),
    "running": ("locked_at >= now() - interval '4 hours'", "locked_at, id"),
    "stuck": ("locked_at < now() - interval '4 hours'", "locked_at, id"),
    "retrying": (
        "locked_at is null and attempts < max_attempts and attempts > 0 and run_at > now()",
        "run_at, id",
    ),
    "failed": ("locked_at is null and attempts >= max_attempts", "id desc"),
}
"""Each list as somebody would write it down who has all the time in the world."""


@pytest.fixture(autouse=True)
def everything_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table is small, and of each kind only the first 12 are known."""
    monkeypatch.setattr(tried_jobs, "SMALL", 0)
    monkeypatch.setattr(tried_jobs, "KEPT", 12)


async def fill(url: str, seed: int, jobs: int = 120) -> None:
    """Jobs of which each is in one state or another, many with the same times."""
    chosen = random.Random(seed)
    async with sql(url) as connection:
        await connection.execute(
            "select graphile_worker.add_job(case when i % 5 = 0 then 'rare' else 'usual' end,"
            f" queue_name => case when i % 7 = 0 then 'q' end) from generate_series(1, {jobs}) as i"
        )
        for job_id in range(1, jobs + 1):
            await connection.execute(
                f"update {TABLE} set run_at = now() + $2 * interval '1 minute', attempts = $3,"
                " last_error = $4, locked_at = now() - $5 * interval '1 hour',"
                " locked_by = case when $5::float is not null then 'w' end where id = $1",
                job_id,
                float(chosen.choice([-5, -1, 1, 2, 3])),
                chosen.choice([0, 1, 24, 25]),
                chosen.choice([None, "boom 1", "boom 2", "bang"]),
                chosen.choice([None, None, None, 0.5, 1.0, 4.5, 5.0]),
            )


async def all_pages(made: Service, limit: int = 5, **fields: str) -> list[int]:
    seen: list[int] = []
    after: str | None = None
    while True:
        page = await made.reading.jobs.find(filter_of(**fields), limit=limit, after=after)
        seen += [row.id for row in page.rows]
        if page.next is None:
            return seen
        after = page.next


async def naive(url: str, state: str, more: str = "true") -> list[int]:
    where, order = NAIVE[state]
    async with sql(url) as connection:
        rows = await connection.fetch(
            f"select id from {TABLE} where {where} and {more} order by {order}"
        )
    return [row["id"] for row in rows]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kept", [12, 1_000])
async def test_lists_are_those_of_the_table(
    gw_database: str, seed: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tried_jobs, "KEPT", kept)
    await fill(gw_database, seed)
    filters: list[tuple[dict[str, str], str]] = [
        ({}, "true"),
        ({"task": "rare"}, f"task_id = {TASK}"),
        ({"queue": "q"}, "job_queue_id is not null"),
        ({"error": "boom"}, "last_error like '%boom%'"),
        ({"error": "boom", "scope": "9"}, "last_error like '%boom%'"),
        ({"error": "boom", "scope": "all"}, "last_error like '%boom%'"),
        ({"attempts": "1"}, "attempts = 1"),
    ]
    async with service(gw_database) as made:
        for state in NAIVE:
            for fields, more in filters:
                found = await all_pages(made, state=state, **fields)
                assert found == await naive(gw_database, state, more), (state, fields)


async def test_who_left_a_list_is_not_shown_and_what_follows_takes_the_place(
    gw_database: str,
) -> None:
    await fill(gw_database, 1)
    async with service(gw_database) as made:
        first = await made.reading.jobs.find(filter_of(state="failed"), limit=5)
        gone = [row.id for row in first.rows]
        async with sql(gw_database) as connection:
            await connection.execute(f"update {TABLE} set attempts = 0 where id = any($1)", gone)
        again = await made.reading.jobs.find(filter_of(state="failed"), limit=5)
        assert [row.id for row in again.rows] == (await naive(gw_database, "failed"))[:5]
        assert again.age is not None
        assert again.age > 0


async def test_what_an_action_did_is_shown_at_once(gw_database: str) -> None:
    await fill(gw_database, 2)
    async with service(gw_database) as made:
        await made.reading.jobs.find(filter_of(state="failed"))
        await made.reading.kinds.get()
        async with sql(gw_database) as connection:
            (spare,) = await connection.fetch(
                "select graphile_worker.add_job('usual', run_at => now() + interval '1 d')"
            )
        job_id = spare["add_job"]["id"]
        await made.changing.act(
            "ada", Act(action=JobAction.FAIL, reason="no longer wanted"), [job_id]
        )
        page = await made.reading.jobs.find(filter_of(state="failed"), limit=1)
        kinds = (await made.reading.kinds.get()).value.kinds
    assert [row.id for row in page.rows] == [job_id]
    assert "no longer wanted" in {kind.title for kind in kinds}


@pytest.mark.parametrize(
    ("kept", "scope", "task", "is_complete"),
    [
        (12, 5, None, False),
        (12, 10, None, False),
        (1_000, 10, None, False),
        (1_000, 10_000, None, True),
        (1_000, 10_000, "rare", True),
    ],
)
async def test_kinds_of_failures_are_those_of_the_table(
    gw_database: str,
    monkeypatch: pytest.MonkeyPatch,
    kept: int,
    scope: int,
    task: str | None,
    is_complete: bool,
) -> None:
    monkeypatch.setattr(tried_jobs, "KEPT", kept)
    await fill(gw_database, 3)
    async with service(gw_database) as made:
        shared = await made.reading.failures(scope=scope, task=task)
        statement = admin_samples.failures(made.sessions.schema, scope=scope, task=task, limit=100)
        whole = await made.sessions.read(statement)
    assert [told(one) for one in shared.kinds] == [told(one) for one in whole]
    assert (shared.searched, shared.is_complete) == (whole[0].searched, is_complete)


async def test_kinds_of_failures_of_a_task_are_those_of_the_newest_and_it_says_so(
    gw_database: str,
) -> None:
    await fill(gw_database, 3)
    async with sql(gw_database) as connection:
        await connection.execute(f"update {TABLE} set last_error = null where id > 60")
        await connection.execute(
            f"update {TABLE} set last_error = 'x', attempts = 25, locked_at = null, task_id ="
            f" case when id > 60 then {TASK.replace('rare', 'usual')} else {TASK} end"
        )
    async with service(gw_database) as made:
        found = await made.reading.failures(task="rare")
        assert (found.kinds, found.searched, found.is_complete) == ([], 0, False)
        found = await made.reading.failures(task="rare", scope=100_000)
        assert (found.searched, found.is_complete) == (60, True)


def told(kind: Any) -> tuple[Any, ...]:
    return (kind.task, kind.failed, kind.retrying, kind.first_id, kind.last_id, kind.ids)


async def test_the_job_that_holds_a_queue_is_found_also_if_it_was_just_locked(
    gw_database: str,
) -> None:
    lock = "set locked_at = now(), locked_by = 'w' where"
    async with sql(gw_database) as connection:
        await connection.execute(
            "select graphile_worker.add_job('t', queue_name => 'q' || i) from generate_series(1, 3) i"
        )
        async with service(gw_database) as made:
            assert await made.reading.jobs.queue_holder("q2") is None
            await connection.execute(f"update {TABLE} {lock} id = 2")
            assert await made.reading.jobs.queue_holder("q2") is None  # the queue itself is free
            await connection.execute(
                f"update graphile_worker._private_job_queues {lock} queue_name = 'q2'"
            )
            found = await made.reading.jobs.queue_holder("q2")
            assert found is not None
            assert (found.job_id, found.task, found.locked_by) == (2, "t", "w")
            assert await made.reading.jobs.queue_holder("q1") is None


@pytest.mark.parametrize("seed", range(2))
async def test_the_load_ahead_is_that_of_the_table(gw_database: str, seed: int) -> None:
    await fill(gw_database, seed)
    async with sql(gw_database) as connection, service(gw_database) as made:
        await connection.execute(f"update {TABLE} set priority = id % 4")
        await connection.execute(
            f"update {TABLE} set run_at = now() + interval '90 minutes' where id % 11 = 0"
        )
        for spans, seconds in ((4, 50.0), (48, 1_800.0)):
            rows = await connection.fetch(
                f"select floor(extract(epoch from run_at - $3::timestamptz) / $1)::int, count(*)"
                f" from {TABLE} where is_available and run_at > $3::timestamptz"
                " and run_at < $3::timestamptz + $1 * $2 * interval '1 second' group by 1",
                seconds,
                spans,
                await connection.fetchval("select now()"),
            )
            expected = dict(rows)
            found = await made.reading.forward_load(seconds=seconds, spans=spans)
            assert sum(found) == sum(expected.values())
            assert found == [expected.get(span, 0) for span in range(spans)]
