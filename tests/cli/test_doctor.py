"""`graphile-worker doctor`, as people and as programs see it."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from support.pgbouncer import PROGRAM, pgbouncer
from support.running import running, sql, until

from graphile_worker import task
from graphile_worker.cli.doctor_readings import stop_reading, timeout_of_unit
from graphile_worker.doctor.finding import Level
from graphile_worker.doctor.shutdown import Orchestrator, StopReading, shutdown


@task(payload=None)
async def known() -> None: ...


BY_HAND = {"INVOCATION_ID": "", "KUBERNETES_SERVICE_HOST": ""}
"""The tests may themselves be run by systemd or in a pod."""


async def _listening(worker) -> bool:
    return worker.health().listening


async def test_a_healthy_system(cli, gw_database):
    async with running(gw_database, tasks=[known]) as worker:
        await until(lambda: _listening(worker))
        ended = cli("doctor", "--json", env={"DATABASE_URL": gw_database, **BY_HAND})
    told = json.loads(ended.out)
    assert (ended.code, ended.err, told["problems"]) == (0, "", 0), told
    unwell = {one["check"] for one in told["checks"] if one["level"] != "ok"}
    assert unwell <= {"server"}, "that the server of the tests is an old one does not count"
    assert list(told["checks"][0]) == ["check", "level", "message", "remedy", "items"]
    assert told["checks"][-1]["check"] == "shutdown"


async def test_a_problem_is_exit_code_1_and_says_how_to_mend_it(
    cli, here, on_terminal, gw_database
):
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('known')")
    env = {"DATABASE_URL": gw_database, **BY_HAND}
    piped = cli("doctor", env=env)
    assert (piped.code, piped.err) == (1, "")
    header, *rows = [line.split("\t") for line in piped.out.splitlines()]
    assert header == ["level", "check", "message", "remedy"]
    [row] = [row for row in rows if row[0] == "problem"]
    assert row[1:3] == ["workers", "no worker sends heartbeats, and jobs are due"]
    shown = on_terminal("doctor", env={**env, "NO_COLOR": "1", "TERM": "dumb"})
    assert "✓" in shown.out
    assert "workers        no worker sends heartbeats, and jobs are due\n" in shown.out
    assert "→ start one: graphile-worker run MODULE:ATTRIBUTE" in shown.out
    assert "1 problem, " in shown.out


def test_a_database_that_cannot_be_reached_is_a_problem(here):
    ended = here("doctor", "--json", "--database-url", "postgresql://nobody@127.0.0.1:1/none")
    told = json.loads(ended.out)
    assert ended.code == 1
    assert (told["problems"], told["checks"][0]["check"]) == (1, "database")
    assert "127.0.0.1:1" in told["checks"][0]["message"]


def test_a_direct_address_that_nobody_answers_is_a_problem(here, migrated_database):
    nobody = "postgresql://nobody@127.0.0.1:1/none"
    ended = here(
        *("doctor", "--json", "--database-url", migrated_database, "--direct-database-url", nobody)
    )
    [found] = [one for one in json.loads(ended.out)["checks"] if one["level"] == "problem"]
    assert ended.code == 1
    assert "127.0.0.1:1" in found["message"]
    assert "--direct-database-url" in found["remedy"]


def test_no_url_is_an_error(here, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    ended = here("doctor")
    assert (ended.code, ended.out) == (1, "")
    assert "DATABASE_URL" in ended.err


@pytest.mark.full
@pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer on this machine")
async def test_a_pooler_in_the_way_of_listen(cli, gw_database):
    with pgbouncer(gw_database, server_connections=4) as pooled:
        ended = cli("doctor", "--json", "--database-url", pooled)
        direct = cli(
            *("doctor", "--json", "--database-url", pooled, "--direct-database-url", gw_database)
        )
    found = {one["check"]: one for one in json.loads(ended.out)["checks"]}
    assert found["notifications"]["level"] == "problem"
    assert "a pooler in transaction mode" in found["notifications"]["message"]
    found = {one["check"]: one for one in json.loads(direct.out)["checks"]}
    assert found["notifications"]["level"] == "ok"


# -- what stops the workers ----------------------------------------------------------------------

GRACE = timedelta(seconds=30)


@pytest.mark.parametrize(
    ("environment", "timeout", "expected"),
    [
        ({}, None, (None, None)),
        ({}, timedelta(seconds=9), (None, 9.0)),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None, (Orchestrator.KUBERNETES, 30.0)),
        (
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1"},
            timedelta(minutes=2),
            (Orchestrator.KUBERNETES, 120.0),
        ),
        ({"INVOCATION_ID": "8f"}, timedelta(minutes=2), (Orchestrator.SYSTEMD, 120.0)),
    ],
)
def test_what_stops_the_worker_is_told_by_the_environment(environment, timeout, expected):
    reading = stop_reading(environment, GRACE, timeout)
    assert (reading.orchestrator, reading.timeout) == expected
    assert reading.grace == 30


@pytest.mark.parametrize(
    ("orchestrator", "timeout", "level"),
    [
        (None, None, Level.OK),
        (None, 31.0, Level.PROBLEM),
        (Orchestrator.KUBERNETES, 30.0, Level.PROBLEM),
        (Orchestrator.KUBERNETES, 45.0, Level.OK),
        (Orchestrator.SYSTEMD, None, Level.WARNING),
        (Orchestrator.SYSTEMD, 90.0, Level.OK),
    ],
)
def test_the_kill_has_to_come_after_the_grace_period(orchestrator, timeout, level):
    finding = shutdown(StopReading(orchestrator=orchestrator, grace=30, timeout=timeout))
    assert finding.level is level, finding
    assert (finding.remedy is None) == (level is Level.OK)


def test_a_pod_with_too_little_time_is_a_problem(cli, gw_database):
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "GRAPHILE_WORKER_SHUTDOWN_GRACE_PERIOD": "2m"}
    ended = cli("doctor", "--json", "--database-url", gw_database, env=pod)
    [found] = [one for one in json.loads(ended.out)["checks"] if one["check"] == "shutdown"]
    assert ended.code == 1
    assert found["message"].startswith("grace period 2 min, killed by Kubernetes after 30 s")
    assert "to at least 123 s" in found["remedy"]


def test_a_worker_that_does_not_wait_for_its_jobs_needs_no_time(cli, gw_database):
    no_grace = ("--shutdown-grace-period", "0")
    ended = cli("doctor", "--json", "--database-url", gw_database, *no_grace)
    [found] = [one for one in json.loads(ended.out)["checks"] if one["check"] == "shutdown"]
    assert found["message"].startswith("grace period 0")


@pytest.mark.parametrize(
    ("answer", "seconds"), [("1min 30s", 90.0), ("infinity", None), ("", None), ("500ms", 0.5)]
)
def test_systemd_is_asked_for_the_time_of_its_unit(answer, seconds, tmp_path: Path, monkeypatch):
    """A program that answers as systemctl does; a system that systemd did not boot has no units."""
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\n[ "$4" = worker.service ] && echo "{answer}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert timeout_of_unit("worker.service") == seconds
    assert timeout_of_unit("other.service") is None


def test_without_systemctl_nothing_is_known(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert timeout_of_unit("worker.service") is None
