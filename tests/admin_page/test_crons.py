"""Recurring jobs: in words, and what became of their last runs."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urljoin

import asyncpg
import pytest
from support.admin_site import Door, browsing
from support.running import sql

from graphile_worker import Cron, WorkerUtils, parse_crontab, task_ref
from graphile_worker.admin import Identity
from graphile_worker.admin.service.cron_runs import CronRunState, cron_runs, past_runs
from graphile_worker.history.options import HistoryConfig
from graphile_worker.queries.cron import KnownCrontab
from graphile_worker.queries.history_reading import FirstAttempt

NOON = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def row(page: str, identifier: str) -> str:
    found = re.search(
        rf'<tr id="cron-\d+"><td class="first"><span[^>]*>{identifier}</span>.*', page
    )
    assert found is not None
    return found[0]


async def remember(
    connection: asyncpg.Connection, identifier: str, since: str, last: str | None
) -> None:
    await connection.execute(
        "insert into graphile_worker._private_known_crontabs (identifier, known_since, last_execution)"
        " values ($1, date_trunc('hour', now()) - $2::text::interval,"
        " date_trunc('hour', now()) - $3::text::interval)",
        identifier,
        since,
        last,
    )


async def record(
    connection: asyncpg.Connection,
    job: int,
    ago: int,
    after: str,
    outcome: str,
    task: str = "hourly",
) -> None:
    """An attempt of a job that was due so many hours before the last full hour."""
    await connection.execute(
        """
        insert into graphile_worker._gwx_run
          (job_id, attempt, finished_at, task, run_at, started_at, outcome, worker)
        select $1, 1, due.at + $3::text::interval + interval '1 s', $5, due.at,
          due.at + $3::text::interval, $4, 'w'
        from (select date_trunc('hour', now()) - $2 * interval '1 hour' as at) as due
        """,
        job,
        ago,
        after,
        outcome,
        task,
    )


async def test_an_entry_is_said_in_words_with_its_window_of_backfill(gw_database: str) -> None:
    crons = [
        *parse_crontab("5 * * * * hourly\n0 4 * * * nightly ?fill=1d&tz=Europe/Berlin"),
        Cron.every_n_minutes(task_ref("often"), 10),
    ]
    async with sql(gw_database) as connection:
        await remember(connection, "gone", "30 days", "7 days")
    async with browsing(gw_database, crons=crons) as client:
        page = (await client.get("/cron")).text
        assert "At minute 5 of every hour, UTC" in row(page, "hourly")
        assert 'data-label="Backfill">none<' in row(page, "hourly")
        assert "At 04:00 every day, Europe/Berlin" in row(page, "nightly")
        assert 'data-label="Backfill">1 d<' in row(page, "nightly")
        assert "Every 10 minutes, UTC" in row(page, "often")
        assert 'data-label="Backfill">–<' in row(page, "gone")  # noqa: RUF001
        assert 'class="strip"' not in page  # nobody has run any of them here
        entries = {one["identifier"]: one for one in (await client.get("/api/v1/cron")).json()}
        assert entries["nightly"]["in_words"] == "At 04:00 every day, Europe/Berlin"
        assert entries["nightly"]["fill_seconds"] == 86_400
        assert entries["gone"]["in_words"] is None


async def test_the_options_of_an_entry_are_shown(gw_database: str) -> None:
    line = "0 4 * * * nightly ?max=3&queue=mail&priority=0&jobKey=k&jobKeyMode=preserve_run_at"
    crons = parse_crontab(f"{line}&flags=gpu,eu\n5 * * * * hourly")
    async with browsing(gw_database, crons=crons) as client:
        page = (await client.get("/cron")).text
        assert "max 3 · queue mail · priority 0 · key k (preserve_run_at) · flags gpu, eu" in row(
            page, "nightly"
        )
        assert "max" not in row(page, "hourly")
        entries = {one["identifier"]: one for one in (await client.get("/api/v1/cron")).json()}
        assert entries["nightly"]["options"] == {
            "max": "3",
            "queue": "mail",
            "priority": "0",
            "key": "k (preserve_run_at)",
            "flags": "gpu, eu",
        }
        assert entries["hourly"]["options"] == {}


async def test_the_job_of_the_last_run_is_found_while_it_is_there(gw_database: str) -> None:
    (crontab,) = parse_crontab('0 * * * * hourly {"a": 1}')
    viewer = Identity("vera", "", frozenset({"view"}))
    async with sql(gw_database) as connection:
        await remember(connection, "hourly", "30 days", "3 hours")
        last = await connection.fetchval(
            "select last_execution from graphile_worker._private_known_crontabs"
        )
        for run in (last - HOUR, last):
            await connection.execute(
                "select graphile_worker.add_job('hourly', $1::text::json)",
                crontab.payload_at(run.astimezone(UTC), backfilled=False),
            )
        async with browsing(gw_database, crons=[crontab]) as client:
            link = re.search(
                r'<a href="([^"]*)">[^<]*job</a>', row((await client.get("/cron")).text, "hourly")
            )
            assert link is not None
            jobs = (await client.get(urljoin("/cron", unescape(link[1])))).text
            assert re.findall(r'<tr id="job-(\d+)"', jobs) == ["2"]
        async with browsing(gw_database, crons=[crontab], auth=Door(viewer)) as client:
            assert "job</a>" not in row((await client.get("/cron")).text, "hourly")


async def test_without_history_a_run_is_unknown_but_for_the_last_and_what_is_owed(
    gw_database: str,
) -> None:
    async with sql(gw_database) as connection:
        await remember(connection, "hourly", "30 days", "3 hours")
    async with browsing(gw_database, crons=parse_crontab("0 * * * * hourly")) as client:
        page = (await client.get("/cron")).text
        label = re.search(r'aria-label="(Last 20 runs: [^"]+)"', page)
        assert label is not None
        assert re.fullmatch(
            r"Last 20 runs: 1 job added, (1 due, 2|3) no job added, 16 not recorded", label[1]
        )
        assert "Runs are not recorded; `graphile-worker history install --run-log all`" in page


async def test_history_tells_which_runs_were_on_time(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await remember(connection, "hourly", "30 days", "0")
        await WorkerUtils(connection).history.install(HistoryConfig(run_log="all"))
        await record(connection, 1, 0, "1 second", "completed")
        await record(connection, 2, 1, "20 minutes", "completed")
        await record(connection, 3, 2, "1 second", "dead")
        await record(connection, 4, 3, "1 second", "completed", task="other")
        await record(connection, 5, 4, "1 second", "failed")
        await connection.execute(
            "insert into graphile_worker._gwx_run select job_id, 2, finished_at + interval '1 min',"
            " task, queue, key, run_at + interval '3 s', started_at, 'completed', worker, null, null"
            " from graphile_worker._gwx_run where job_id = 5"
        )
    async with browsing(gw_database, crons=parse_crontab("0 * * * * hourly")) as client:
        [entry] = (await client.get("/api/v1/cron")).json()
        states = [run["state"] for run in entry["last_runs"]]
        assert states == [*["unknown"] * 15, "on_time", "unknown", "failed", "late", "on_time"]
        assert entry["last_runs"][-1]["at"] < entry["last_runs"][-1]["started_at"]
        page = (await client.get("/cron")).text
        assert "Last 20 runs: 2 on time, 1 late, 1 failed, 16 not recorded" in page
        assert "late, started 20 m after" in page
        assert "are not recorded" not in page


async def test_a_paused_entry_owes_nothing(gw_database: str) -> None:
    async with sql(gw_database) as connection:
        await remember(connection, "hourly", "30 days", "9 hours")
        await WorkerUtils(connection).pause_cron("hourly", by="ada")
        await connection.execute(
            "update graphile_worker._gwx_pause set paused_at = now() - interval '5 hours'"
        )
    async with browsing(gw_database, crons=parse_crontab("0 * * * * hourly")) as client:
        page = row((await client.get("/cron")).text, "hourly")
        assert "Paused" in page
        assert "late</span>" not in page
        counts = Counter(
            run["state"] for run in (await client.get("/api/v1/cron")).json()[0]["last_runs"]
        )
        assert counts["paused"] in {5, 6}
        assert counts["owed"] in {3, 4}


KNOWN = KnownCrontab("t", NOON - 30 * HOUR, NOON.replace(minute=0, second=0) - 2 * HOUR)
[CRONTAB] = parse_crontab("0 * * * * t")


def test_runs_are_counted_from_when_the_entry_was_known() -> None:
    assert len(past_runs(CRONTAB, KNOWN, NOON)) == 20
    young = KnownCrontab("t", NOON - 3 * HOUR, None)
    assert [run.hour for run in past_runs(CRONTAB, young, NOON)] == [10, 11, 12]
    assert past_runs(CRONTAB, None, NOON) == []
    for year, expected in ((1, 20), (9999, 0)):  # PostgreSQL's infinities
        odd = KnownCrontab("t", datetime(year, 1, 1, tzinfo=UTC), None)
        assert len(past_runs(CRONTAB, odd, NOON)) == expected


@pytest.mark.parametrize(
    ("hours", "attempt", "paused", "state"),
    [
        (3, None, None, CronRunState.UNKNOWN),
        (3, FirstAttempt(None, None, is_cut=True), None, CronRunState.UNKNOWN),
        (2, None, None, CronRunState.ADDED),
        (1, None, None, CronRunState.OWED),
        (1, None, 1, CronRunState.PAUSED),
        (0, None, None, CronRunState.DUE),
        (3, FirstAttempt(NOON - 3 * HOUR, "completed", is_cut=False), None, CronRunState.ON_TIME),
        (3, FirstAttempt(NOON - 2 * HOUR, "lost", is_cut=False), None, CronRunState.LATE),
        (3, FirstAttempt(NOON - 3 * HOUR, "dead", is_cut=False), None, CronRunState.FAILED),
    ],
)
def test_what_became_of_a_run(
    hours: int, attempt: FirstAttempt | None, paused: int | None, state: CronRunState
) -> None:
    at = NOON.replace(minute=0, second=0) - hours * HOUR
    since = None if paused is None else NOON.replace(minute=0, second=0) - paused * HOUR
    [run] = cron_runs([at], KNOWN, [attempt], paused_at=since, now=NOON)
    assert run.state is state
