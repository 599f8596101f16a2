import asyncio
import subprocess
import sys

import psutil
import pytest
from bench.installing import Program
from bench.process import ProgramError, ended, own_cpu_seconds, started
from bench.special import claims_in, rates_between

LOG = """\
2026-01-01 LOG:  statement: select pg_read_file('log')
2026-01-01 LOG:  execute __asyncpg_1__: -- Takes jobs.
\twith picked as (select from graphile_worker._private_jobs
\tfor update skip locked) update graphile_worker._private_jobs
2026-01-01 DETAIL:  Parameters: $1 = 'worker'
2026-01-01 LOG:  execute __asyncpg_2__: insert into graphile_worker._private_workers
2026-01-01 LOG:  execute __asyncpg_1__: select from _private_jobs FOR UPDATE SKIP LOCKED
"""


def test_claims_are_told_from_other_statements():
    assert claims_in(LOG) == 2


def test_stretches_between_counts():
    assert rates_between([(0.0, 5), (2.0, 25), (3.0, 26)]) == [(20, 2.0), (1, 1.0)]


def script(text: str) -> Program:
    return Program((sys.executable, "-c", text))


async def test_the_events_of_a_program_that_ends():
    program = script("import sys; print('rate one 5'); print(*sys.argv[1:])")
    assert await ended(program, "role", "url", {"a": 1}) == [
        ["rate", "one", "5"],
        ["role", "url", '{"a":', "1}"],
    ]


async def test_a_program_that_fails_is_told_of():
    with pytest.raises(ProgramError, match="role ended with 3"):
        await ended(script("import sys; sys.exit(3)"), "role", "url", {})


async def test_an_event_that_never_comes_is_told_of():
    async with started(script("print('other 1')"), "role", "url", {}) as running:
        with pytest.raises(ProgramError, match="ended with 0 before 'first'"):
            await running.event("first")


async def test_a_program_is_weighed_and_killed_with_its_children():
    text = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "sum(range(10**6)); print('ready', child.pid, flush=True); time.sleep(60)"
    )
    async with started(script(text), "role", "url", {}) as running:
        [child] = await running.event("ready")
        assert running.cpu_seconds() > 0
        assert running.peak_mb() >= running.resident_mb() * 0.9 > 0
    async with asyncio.timeout(10):
        while is_alive(int(child)):
            await asyncio.sleep(0.01)


def test_a_process_that_ended_since_it_was_listed_costs_nothing():
    child = subprocess.Popen([sys.executable, "-c", ""])
    listed = psutil.Process(child.pid)
    child.wait()
    assert own_cpu_seconds(listed) == 0


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
