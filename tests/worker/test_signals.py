"""SIGINT, SIGTERM and SIGHUP, sent to real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from support.running import sql

from graphile_worker import WorkerOptions, task
from graphile_worker.worker.signals import shutdown_on_signals

PROGRAM = """
import asyncio, os, signal, sys
from graphile_worker import WorkerOptions, task

@task(payload=None)
async def endless():
    print("started", flush=True)
    await asyncio.Event().wait()

@task(payload=None)
async def patient(ctx):
    print("started", flush=True)
    await ctx.shutting_down.wait()
    print("draining", flush=True)
    await asyncio.sleep(float(sys.argv[3]))

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may have been started with nohup

async def main():
    options = WorkerOptions(database_url=sys.argv[1], tasks=[endless, patient],
                            shutdown_grace_period=float(sys.argv[2]))
    async with options.init() as worker:
        await worker.run()

asyncio.run(main())
print("ended", flush=True)
"""


async def start(url: str, grace: float, works_on: float = 0) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        url,
        str(grace),
        str(works_on),
        stdout=asyncio.subprocess.PIPE,
    )


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_drains_and_ends_cleanly(gw_database: str, number: signal.Signals) -> None:
    process = await start(gw_database, grace=20)
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('patient')")
        assert await line(process) == "started"
        process.send_signal(number)
        # The double that supervisors send is the same request, not a second one.
        process.send_signal(number)
        assert await line(process) == "draining"
        assert await line(process) == "ended"
        assert await process.wait() == 0
        assert await connection.fetchval("select count(*) from graphile_worker._private_jobs") == 0


async def test_a_later_second_signal_interrupts_jobs(gw_database: str) -> None:
    process = await start(gw_database, grace=600)
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('endless')")
        assert await line(process) == "started"
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(1.2)  # what tells a second request from the double of the first
        process.send_signal(signal.SIGTERM)
        assert await line(process) == "ended"
        assert await process.wait() == 0
        attempts, owner = await connection.fetchrow(
            "select attempts, locked_by from graphile_worker._private_jobs"
        )
    assert (attempts, owner) == (0, None)


async def test_a_killed_process_leaves_its_job_locked_for_recovery(gw_database: str) -> None:
    process = await start(gw_database, grace=1)
    async with sql(gw_database) as connection:
        await connection.execute("select graphile_worker.add_job('endless')")
        assert await line(process) == "started"
        process.kill()
        await process.wait()
        attempts, owner = await connection.fetchrow(
            "select attempts, locked_by from graphile_worker._private_jobs"
        )
    assert attempts == 1
    assert owner.startswith("graphile_worker_")


async def test_earlier_handlers_are_called_too_and_put_back() -> None:
    seen: list[str] = []

    def hosts_own(_number: int, _frame: object) -> None:
        seen.append("host")

    before = signal.signal(signal.SIGTERM, hosts_own)
    drained = asyncio.Event()
    try:
        with shutdown_on_signals(drained.set, lambda: seen.append("abort")):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(drained.wait(), 10)
        assert signal.getsignal(signal.SIGTERM) is hosts_own
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == ["host"]


async def heard(number: signal.Signals) -> None:
    """Send a signal to ourselves, and wait until everybody who listens was told."""
    told = asyncio.Event()
    signal.raise_signal(number)
    asyncio.get_running_loop().call_soon(told.set)
    await told.wait()


@pytest.fixture
def hosts_own() -> Iterator[list[int]]:
    """A handler of the host for SIGTERM; how often it was called."""
    calls: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: calls.append(number))
    yield calls
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("first_out", ["first", "second"])
async def test_workers_of_one_process_may_end_in_any_order(
    hosts_own: list[int], first_out: str
) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    told: list[str] = []
    scopes = {name: ExitStack() for name in ("first", "second")}
    for name, scope in scopes.items():
        scope.enter_context(shutdown_on_signals(partial(told.append, name), pytest.fail))
    scopes.pop(first_out).close()
    await heard(signal.SIGTERM)
    [(last_out, scope)] = scopes.items()
    assert (told, len(hosts_own)) == ([last_out], 1)
    scope.close()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_the_double_of_a_second_signal_is_no_third() -> None:
    told: list[str] = []
    with shutdown_on_signals(lambda: told.append("drain"), lambda: told.append("abort")):
        await heard(signal.SIGTERM)
        await asyncio.sleep(1.2)  # what tells a second request from the double of the first
        await heard(signal.SIGTERM)
        await heard(signal.SIGTERM)
    assert told == ["drain", "abort"]


async def test_every_worker_of_a_process_hears_of_a_hangup() -> None:
    told: list[str] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with (
            shutdown_on_signals(lambda: told.append("first"), pytest.fail),
            shutdown_on_signals(lambda: told.append("second"), pytest.fail),
        ):
            await heard(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
    assert told == ["first", "second"]


async def test_a_handler_that_came_while_a_worker_ran_stays(hosts_own: list[int]) -> None:
    def newer(_number: int, _frame: object) -> None: ...

    with shutdown_on_signals(pytest.fail, pytest.fail):
        signal.signal(signal.SIGTERM, newer)
    assert signal.getsignal(signal.SIGTERM) is newer


async def test_a_handler_that_is_put_back_after_the_end_swallows_no_signal(
    hosts_own: list[int],
) -> None:
    """As a server does that was started after the worker, and ends after it."""
    before = signal.getsignal(signal.SIGTERM)
    with shutdown_on_signals(pytest.fail, pytest.fail):
        ours = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, ours)
    await heard(signal.SIGTERM)
    assert len(hosts_own) == 1
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("reload", [signal.SIG_IGN, lambda *_: None], ids=["nohup", "reload"])
async def test_a_hangup_that_ends_nothing_is_left_alone(reload: Any) -> None:
    before = signal.signal(signal.SIGHUP, reload)
    try:
        with shutdown_on_signals(pytest.fail, pytest.fail):
            assert signal.getsignal(signal.SIGHUP) is reload
        assert signal.getsignal(signal.SIGHUP) is reload
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_handler_the_host_gave_to_the_loop_goes_on_working() -> None:
    loop = asyncio.get_running_loop()
    hosts_own, drained = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, hosts_own.set)
    try:
        with shutdown_on_signals(drained.set, drained.set):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(drained.wait(), 10)
            await asyncio.wait_for(hosts_own.wait(), 10)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def test_off_the_main_thread_a_worker_runs_without_signal_handlers(gw_database: str) -> None:
    ran = threading.Event()

    @task(payload=None)
    async def mark() -> None:
        ran.set()

    async def main() -> None:
        stop = asyncio.Event()
        options = WorkerOptions(database_url=gw_database, tasks=[mark], shutdown_signal=stop)
        async with options.init() as worker:
            await worker.create_utils().add_job(mark)
            run = asyncio.create_task(worker.run())
            await asyncio.to_thread(ran.wait, 10)
            stop.set()
            await run

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert ran.is_set()
    assert signal.getsignal(signal.SIGTERM) is before
