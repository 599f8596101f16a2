"""SIGINT, SIGTERM and SIGHUP, sent to real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
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


@pytest.mark.parametrize("hosts_own", [signal.SIG_IGN, lambda *_: None], ids=["nohup", "reload"])
async def test_a_hangup_that_ends_nothing_is_left_alone(hosts_own: Any) -> None:
    before = signal.signal(signal.SIGHUP, hosts_own)
    try:
        with shutdown_on_signals(pytest.fail, pytest.fail):
            assert signal.getsignal(signal.SIGHUP) is hosts_own
        assert signal.getsignal(signal.SIGHUP) is hosts_own
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
