"""The loop: what it adds, when, and that nobody adds it twice."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.running import sql, until

from graphile_worker import Crontab
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Statement
from graphile_worker.errors import ConnectionLostError, DatabaseError
from graphile_worker.queries.cron import CronJob, known_crontabs, now, schedule_crontabs

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SCHEMA = Schema("graphile_worker")


async def test_a_job_is_added_when_its_minute_comes(stage):
    start = stage.clock.time
    async with stage.scheduling("2 8 * * * report ?max=3&queue=q&priority=-1&jobKey=k {a: 1}"):
        await stage.clock.go_on_until(start + 2 * MINUTE - timedelta(milliseconds=1))
        assert await stage.runs() == []
        await stage.clock.go_on_until(start + HOUR)
    [job] = await stage.jobs()
    assert json.loads(job["payload"]) == {
        "a": 1,
        "_cron": {"ts": "2026-01-01T08:02:00.000Z", "backfilled": False},
    }
    assert job["run_at"] == start + 2 * MINUTE
    assert (job["max_attempts"], job["priority"], job["key"]) == (3, -1, "k")
    assert job["flags"] is None
    queue = await stage.connection.fetchval("select queue_name from graphile_worker.jobs")
    assert queue == "q"
    assert await stage.known() == {"report": (start, start + 2 * MINUTE)}


async def test_flags_go_into_the_job(stage):
    async with stage.scheduling("* * * * * report ?flags=gpu,night%20only"):
        pass
    [job] = await stage.jobs()
    assert json.loads(job["flags"]) == {"gpu": True, "night only": True}


async def test_the_minute_of_a_start_on_the_minute_is_the_first(stage):
    async with stage.scheduling("* * * * * report"):
        assert await stage.runs() == ["report 08:00"]


async def test_a_start_within_a_minute_begins_with_the_next(stage):
    stage.clock.time += timedelta(seconds=20)
    async with stage.scheduling("* * * * * report"):
        assert await stage.runs() == []
        assert await stage.known() == {"report": (stage.clock.time, None)}
        await stage.clock.go_on_until(stage.clock.time + MINUTE)
        assert await stage.runs() == ["report 08:01"]


async def test_what_nobody_knew_is_not_made_up_for(stage):
    async with stage.scheduling("*/10 * * * * report ?fill=1d"):
        assert await stage.runs() == ["report 08:00"]


@pytest.mark.parametrize("fill", ["30m", "1d"])
async def test_what_was_missed_is_made_up_for_before_anything_else(stage, fill):
    start = stage.clock.time
    await stage.remember("report", start - 10 * HOUR, start - 25 * MINUTE)
    async with stage.scheduling(f"*/10 * * * * report ?fill={fill}\n*/10 * * * * other"):
        assert await stage.runs() == [
            "report 07:40*",
            "report 07:50*",
            "report 08:00",
            "other 08:00",
        ]


async def test_fill_reaches_so_far_back_and_no_further(stage):
    start = stage.clock.time
    await stage.remember("report", start - 10 * HOUR, None)
    await stage.remember("lately", start - 15 * MINUTE, None)
    await stage.remember("without", start - 10 * HOUR, None)
    text = "*/10 * * * * report ?fill=30m\n*/10 * * * * lately ?fill=1h\n*/10 * * * * without"
    async with stage.scheduling(text):
        assert sorted(await stage.runs()) == [
            "lately 07:50*",
            "lately 08:00",
            "report 07:30*",
            "report 07:40*",
            "report 07:50*",
            "report 08:00",
            "without 08:00",
        ]


async def test_what_the_rows_are_known_by_is_the_id(stage):
    start = stage.clock.time
    await stage.remember("report", start - 10 * HOUR, start)
    async with stage.scheduling("*/10 * * * * report ?id=own&fill=1h"):
        assert await stage.runs() == ["report 08:00"], "not what the task's own row says"
    assert set(await stage.known()) == {"report", "own"}


async def test_a_suspend_is_made_up_for(stage):
    start = stage.clock.time
    text = "* * * * * often\n*/30 * * * * seldom ?fill=2h"
    async with stage.scheduling(text):
        await stage.clock.jump(start + 3 * HOUR + timedelta(seconds=30))
        assert await stage.runs() == [
            "often 08:00",
            "seldom 08:00",
            "seldom 09:30*",
            "seldom 10:00*",
            "seldom 10:30*",
            *(f"often 10:{minute}*" for minute in range(56, 60)),
            "often 11:00",
            "seldom 11:00",
        ]


async def test_a_clock_that_is_put_back_repeats_nothing(stage):
    start = stage.clock.time
    async with stage.scheduling("* * * * * report"):
        await stage.clock.go_on_until(start + MINUTE)
        await stage.clock.jump(start - HOUR)
        await stage.clock.go_on_until(start + 2 * MINUTE)
        assert await stage.runs() == ["report 08:00", "report 08:01", "report 08:02"]


async def test_a_clock_that_hurries_skips_nothing(stage):
    start = stage.clock.time
    async with stage.scheduling("* * * * * report"):
        for minutes in (0.9, 1.1, 2.05, 2.95, 3.5, 3.2, 4.01):
            await stage.clock.jump(start + minutes * MINUTE)
        assert await stage.runs() == [f"report 08:0{minute}" for minute in range(5)]


class Flaky:
    """Loses connections: before a statement was sent, or after it was carried out."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.sent: list[str] = []
        self.failing: list[str] = []

    async def run(self, statement: Statement[Any]) -> Any:
        self.sent.append(statement.name)
        how = self.failing.pop(0) if self.failing else "fine"
        if how == "before":
            raise ConnectionLostError("gone")
        answer = await self._database.run(statement)
        if how == "after":
            raise ConnectionLostError("gone, and nobody knows")
        return answer


@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_lost_connection_neither_skips_nor_repeats(stage, how, caplog):
    flaky = Flaky(stage.database)
    flaky.failing = [how]  # of the registration
    text = "* * * * * first\n* * * * * second ?jobKey=k"
    async with stage.scheduling(text, database=flaky):
        await stage.clock.go_on_until(stage.clock.time + timedelta(seconds=5))
        flaky.failing = [how] * 8
        await stage.clock.go_on_until(stage.clock.time + timedelta(seconds=100))
    found = [run.rstrip("*") for run in await stage.runs()]
    assert found[:2] == ["first 08:00", "first 08:01"] or found[:1] == ["first 08:01"]
    assert len(found) == len(set(found))
    assert [row for row in found if row.startswith("second")] == ["second 08:01"], (
        "a key is one job"
    )
    assert "cannot schedule jobs, trying again in" in caplog.text


async def test_ten_thousand_entries_are_one_statement_a_minute(stage):
    counted = Flaky(stage.database)
    start = stage.clock.time + timedelta(seconds=1)
    stage.clock.time = start
    text = "\n".join(f"* * * * * task_{n % 9} ?id=e{n}" for n in range(10_000))
    async with stage.scheduling(text, database=counted):
        counted.sent.clear()
        await stage.clock.go_on_until(start + MINUTE)
    assert counted.sent == ["schedule_crontabs"]
    count = await stage.connection.fetchval("select count(*) from graphile_worker.jobs")
    assert count == 10_000


async def test_of_many_workers_each_minute_has_one(stage):
    won: list[tuple[str, datetime]] = []

    def scheduled(crontab: Crontab, minute: datetime) -> None:
        won.append((crontab.identifier, minute))

    text = "\n".join(f"* * * * * task ?id=e{n}" for n in range(20))
    back = "\n".join(reversed(text.split("\n")))
    clock, start = stage.clock, stage.clock.time
    tasks = [
        clock.start(stage.scheduler(said, on_scheduled=scheduled).run())
        for said in [text, back] * 5
    ]
    await clock.go_on_until(start + 9 * MINUTE)
    for task in tasks:
        await clock.stop(task)
    assert len(await stage.jobs()) == 200
    assert len(won) == len(set(won)) == 200, "one of them is told"


async def test_what_is_told_of_a_tick(stage):
    told: list[Any] = []

    async def tick(minute: datetime, crontabs: list[Crontab]) -> None:
        told.append((f"{minute:%H:%M}", len(crontabs), len(await stage.jobs())))

    def scheduled(crontab: Crontab, minute: datetime) -> None:
        told.append((crontab.identifier, f"{minute:%H:%M}"))

    start = stage.clock.time
    await stage.remember("even", start - HOUR, start - 3 * MINUTE)
    text = "*/2 * * * * even ?fill=1h\n0 9 * * * at_nine"
    stage.clock.time += timedelta(seconds=10)
    async with stage.scheduling(text, on_tick=tick, on_scheduled=scheduled):
        await stage.clock.go_on_until(start + 3 * MINUTE)
        await stage.clock.jump(start - 3 * MINUTE)
        await stage.clock.go_on_until(start + 4 * MINUTE)
    assert told == [
        ("even", "07:58"),  # made up for: no tick
        ("even", "08:00"),
        ("08:01", 2, 2),
        ("08:02", 2, 2),
        ("even", "08:02"),
        ("08:03", 2, 3),
        ("08:04", 2, 3),
        ("even", "08:04"),
    ]


async def test_entries_that_share_a_key_leave_one_job(stage):
    text = "* * * * * a ?jobKey=k {n: 1}\n* * * * * b ?jobKey=k {n: 2}\n* * * * * c ?jobKey=l"
    async with stage.scheduling(text):
        pass
    jobs = {job["key"]: job for job in await stage.jobs()}
    assert len(jobs) == 2
    assert json.loads(jobs["k"]["payload"])["n"] == 2, "the last one says"
    assert jobs["k"]["revision"] == 1


async def test_what_a_key_does_to_the_job_of_the_last_run(stage):
    text = "* * * * * a ?jobKey=a\n* * * * * b ?jobKey=b&jobKeyMode=preserve_run_at"
    start = stage.clock.time
    async with stage.scheduling(text):
        await stage.clock.go_on_until(start + 2 * MINUTE)
    found = {job["key"]: (job["run_at"] - start, job["revision"]) for job in await stage.jobs()}
    assert found == {"a": (2 * MINUTE, 2), "b": (0 * MINUTE, 2)}


async def test_the_rows_of_other_implementations_are_respected(stage):
    """Node marks a minute the same way, and so does Rust."""
    start = stage.clock.time
    await stage.remember("taken", start - HOUR, start)
    await stage.remember("ahead", start - HOUR, start + 2 * MINUTE)
    async with stage.scheduling("* * * * * taken ?fill=1h\n* * * * * ahead ?fill=1h"):
        await stage.clock.go_on_until(start + 3 * MINUTE)
    assert await stage.runs() == ["taken 08:01", "taken 08:02", "taken 08:03", "ahead 08:03"]


def job(identifier: str, **how: Any) -> CronJob:
    values: dict[str, Any] = {
        "task": "task",
        "payload": "{}",
        "queue": None,
        "max_attempts": None,
        "job_key": None,
        "preserve_run_at": False,
        "priority": None,
        "flags": (),
    }
    return CronJob(identifier=identifier, **{**values, **how})


async def test_the_statement_answers_with_what_it_added(stage):
    at = stage.clock.time
    run = stage.database.run
    jobs = [job("b"), job("a", job_key="k", preserve_run_at=True), job("c")]
    assert await run(schedule_crontabs(SCHEMA, at, jobs[:1])) == ["b"]
    assert await run(schedule_crontabs(SCHEMA, at, jobs)) == ["a", "c"]
    assert await run(schedule_crontabs(SCHEMA, at, jobs)) == []
    assert await run(schedule_crontabs(SCHEMA, at - MINUTE, jobs)) == [], "too late for these"
    assert await run(schedule_crontabs(SCHEMA, at + MINUTE, jobs)) == ["b", "a", "c"]
    assert await run(schedule_crontabs(SCHEMA, at + MINUTE, [])) == []
    rows = await run(known_crontabs(SCHEMA))
    assert [(row.identifier, row.known_since, row.last_execution) for row in rows] == [
        ("a", at, at + MINUTE),
        ("b", at, at + MINUTE),
        ("c", at, at + MINUTE),
    ]


async def test_nothing_is_announced_when_nothing_is_added(stage):
    heard: list[str] = []
    await stage.connection.add_listener("jobs:insert", lambda *args: heard.append(args[3]))
    at = stage.clock.time
    await stage.database.run(schedule_crontabs(SCHEMA, at, [job("a"), job("b")]))
    await stage.database.run(schedule_crontabs(SCHEMA, at, [job("a"), job("b")]))
    await stage.connection.execute("notify \"jobs:insert\", 'last'")

    async def last() -> bool:
        return "last" in heard

    await until(last)
    assert len(heard) == 2
    assert '"count":2' in heard[0]


async def test_a_job_that_cannot_be_stored_leaves_its_minute_unmarked(stage):
    at = stage.clock.time
    with pytest.raises(DatabaseError):
        await stage.database.run(
            schedule_crontabs(SCHEMA, at, [job("a"), job("b", task="x" * 129)])
        )
    assert await stage.known() == {}
    assert await stage.jobs() == []


async def test_two_that_schedule_at_once_wait_for_each_other(stage):
    """The second finds the first one's mark, even while it is not committed."""
    at = stage.clock.time
    text = schedule_crontabs(SCHEMA, at, [job("a"), job("b")])
    async with sql(stage.url) as first:
        transaction = first.transaction()
        await transaction.start()
        assert len(await first.fetch(text.text, *text.args)) == 2
        second = asyncio.create_task(stage.database.run(text))
        await until(lambda: waits(stage.connection))
        await transaction.commit()
        assert await second == []
        transaction = first.transaction()
        await transaction.start()
        later = schedule_crontabs(SCHEMA, at + MINUTE, [job("a"), job("b")])
        assert len(await first.fetch(later.text, *later.args)) == 2
        second = asyncio.create_task(stage.database.run(later))
        await until(lambda: waits(stage.connection))
        await transaction.rollback()
        assert await second == ["a", "b"], "the first one changed its mind"


async def waits(connection: Any) -> bool:
    return await connection.fetchval(
        "select exists (select from pg_stat_activity where datname = current_database()"
        " and wait_event_type = 'Lock')"
    )


async def test_the_database_says_what_time_it_is(stage):
    ours = await stage.database.run(now())
    assert abs(ours - await stage.connection.fetchval("select clock_timestamp()")) < MINUTE
