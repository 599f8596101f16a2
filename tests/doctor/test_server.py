"""What cannot be made on the server of the tests: other versions, standbys, other sessions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from graphile_worker.doctor import server, storage
from graphile_worker.doctor.expected_indexes import EXPECTED
from graphile_worker.doctor.finding import Level, named, plural, unanswered
from graphile_worker.doctor.server import ClockReading
from graphile_worker.doctor.thresholds import Thresholds
from graphile_worker.errors import DatabaseError
from graphile_worker.queries.overview import ActiveWorker
from graphile_worker.queries.server_readings import (
    ConnectionLimit,
    IndexDefinition,
    ServerReading,
    SnapshotHolder,
    TableReading,
)

READING = ServerReading(
    version_number=180001,
    version="18.1",
    database="app",
    role="worker",
    is_standby=False,
    autovacuum=True,
    limits=(ConnectionLimit(97, 3),),
)
TABLE = TableReading(
    table="_private_jobs",
    qualified="s._private_jobs",
    live_rows=10,
    dead_rows=0,
    seconds_since_vacuum=None,
    autovacuum=True,
    transaction_age=1000,
)
LIMITS = Thresholds()


def workers(*pools: object) -> list[ActiveWorker]:
    now = datetime.now(UTC)
    return [
        ActiveWorker(
            worker_id=f"w{number}",
            last_heartbeat_at=now,
            started_at=now,
            metadata={"max_pg_conn": pool},
            is_stale=False,
        )
        for number, pool in enumerate(pools)
    ]


@pytest.mark.parametrize(
    ("change", "level", "message"),
    [
        ({}, Level.OK, "PostgreSQL 18.1, database 'app', role 'worker'"),
        ({"version_number": 110022}, Level.PROBLEM, ""),
        ({"version_number": 130022}, Level.WARNING, "gets no fixes"),
        ({"is_standby": True}, Level.PROBLEM, "a standby, which cannot be written to"),
    ],
)
def test_versions_and_standbys(change, level, message):
    finding = server.server(replace(READING, **change), "UTF8")
    assert finding.level is level
    assert message in finding.message


@pytest.mark.parametrize(
    ("pools", "others", "level"),
    [
        ([], 90, Level.OK),
        ([20, 20, None], 3, Level.OK),
        ([20, 20, 20, 20], 17, Level.OK),
        ([20, 20, 20, 20], 18, Level.WARNING),
        ([20, 20, 20, 20, 20], 0, Level.PROBLEM),
    ],
)
def test_pools_and_other_sessions_against_the_limit(pools, others, level):
    limits = (ConnectionLimit(97, others),)
    finding = server.connections(replace(READING, limits=limits), workers(*pools))
    assert finding.level is level, finding


@pytest.mark.parametrize(
    ("limits", "level", "message"),
    [
        ([(97, 3), (30, 0)], Level.OK, "may open 30 connections of 30"),
        ([(97, 67), (100, 0)], Level.OK, "may open 30 connections of 97"),
        ([(97, 68), (30, 0)], Level.WARNING, "30 connections of 97, beside 68 other sessions"),
        ([(97, 0), (30, 1)], Level.WARNING, "30 connections of 30, beside 1 other session"),
        ([(97, 90), (29, 0)], Level.PROBLEM, "30 connections of 29"),
    ],
)
def test_each_limit_with_the_sessions_that_count_for_it(limits, level, message):
    reading = replace(READING, limits=tuple(ConnectionLimit(*limit) for limit in limits))
    finding = server.connections(reading, workers(10, 20))
    assert finding.level is level, finding
    assert message in finding.message


def test_workers_that_watch_the_queue_need_one_more_connection_together():
    fleet = workers(10, 10, 10)
    for worker in fleet[:2]:
        worker.metadata["watches_queue"] = True
    assert "may open 31 connections of" in server.connections(READING, fleet).message


@pytest.mark.parametrize(
    ("difference", "uncertainty", "level"),
    [
        (1.9, 0.0, Level.OK),
        (-3.0, 0.001, Level.WARNING),
        (3.0, 2.0, Level.OK),
        (61.0, 0.5, Level.PROBLEM),
    ],
)
def test_a_clock_is_wrong_by_more_than_the_way_there_takes(difference, uncertainty, level):
    assert server.clock(ClockReading(difference, uncertainty), LIMITS).level is level


def test_autovacuum_that_is_off_for_the_server():
    finding = storage.vacuum([TABLE], LIMITS, autovacuum=False)
    assert finding.level is Level.PROBLEM
    assert finding.remedy == "alter system set autovacuum = on; select pg_reload_conf()"


@pytest.mark.parametrize(
    ("live", "dead", "level"),
    [(10, 99_999, Level.OK), (10, 100_000, Level.WARNING), (50_000, 200_000, Level.OK)],
)
def test_dead_rows_count_beside_live_ones(live, dead, level):
    table = replace(TABLE, live_rows=live, dead_rows=dead, seconds_since_vacuum=90.0)
    finding = storage.vacuum([table], LIMITS, autovacuum=True)
    assert finding.level is level
    assert (level is Level.OK) or "vacuumed 1 min 30 s ago" in finding.message


def test_a_replication_slot_holds_vacuum_back_for_a_time_that_nobody_knows():
    finding = storage.transactions([SnapshotHolder("replication slot old", -1)], LIMITS)
    assert finding.level is Level.WARNING
    assert "held back by replication slot old:" in finding.message


@pytest.mark.parametrize("valid", [None, False, True])
def test_our_index_that_was_given_up_has_to_go_before_it_is_made_again(valid):
    [ours] = [index for index in EXPECTED if index.is_ours]
    made = [
        IndexDefinition(
            one.table, one.name, one.unique, one is not ours or bool(valid), one.definition
        )
        for one in EXPECTED
        if one is not ours or valid is not None
    ]
    finding = storage.indexes(made, "s", [one.table for one in EXPECTED])
    remedy = "run: graphile-worker --schema s migrate"
    drop = f'drop index "s".{ours.name}; then '
    assert finding.remedy == {True: None, None: remedy, False: drop + remedy}[valid]


def test_a_message_names_some_and_counts_the_rest():
    assert named(["a", "b"]) == "a, b"
    assert named(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert (plural(1, "job"), plural(2000, "job")) == ("1 job", "2,000 jobs")
    assert plural(2, "index", "indexes") == "2 indexes"


def test_what_took_too_long_has_another_remedy_than_what_may_not_be_read() -> None:
    late = unanswered("locks", DatabaseError("canceled", sqlstate="57014"))
    assert (late.level, late.message) == (Level.WARNING, "could not be checked: canceled")
    assert "waits for as long as it takes" in (late.remedy or "")
    forbidden = unanswered("locks", DatabaseError("no", sqlstate="42501"))
    assert "may read this" in (forbidden.remedy or "")
