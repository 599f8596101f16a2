"""The events of a worker's own life."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest
from support.recorder import Recorder
from support.running import running, sql

from graphile_worker import (
    DatabaseError,
    HookRegistry,
    JobStart,
    ShutdownReason,
    WorkerInit,
    WorkerOptions,
    WorkerShutdown,
    WorkerStart,
    task,
)
from graphile_worker.worker.engine import Engine


@task(payload=None)
async def work() -> None: ...


class Knob:
    """An extension."""


async def test_a_worker_tells_of_its_life_in_order(gw_database: str) -> None:
    recorder, knob = Recorder(), Knob()
    async with running(
        gw_database, tasks=[work], plugins=[recorder], extensions=[knob], concurrency=3
    ) as worker:
        assert recorder.names[0] == "WorkerInit"
        await worker.create_utils().add_job(work)
        await asyncio.wait_for(_until_told(recorder, "JobComplete"), 15)
    workers = [name for name in recorder.names if name.startswith("Worker")]
    assert workers == ["WorkerInit", "WorkerStart", "WorkerShutdown"]
    assert recorder.names[-1] == "WorkerShutdown"
    [init] = recorder.of(WorkerInit)
    assert (init.schema, init.concurrency) == ("graphile_worker", 3)
    [start] = recorder.of(WorkerStart)
    assert start.worker_id == worker.worker_id
    assert start.extensions[Knob] is knob
    assert recorder.of(WorkerShutdown)[0].reason is ShutdownReason.GRACEFUL


async def _until_told(recorder: Recorder, name: str) -> None:
    while name not in recorder.names:
        await asyncio.sleep(0.005)


async def test_the_start_is_told_before_any_work(gw_database: str) -> None:
    """A start that takes its time holds the jobs up."""
    told: list[str] = []
    go = asyncio.Event()

    async def slow(event: WorkerStart) -> None:
        told.append("start")
        await go.wait()
        told.append("started")

    hooks = HookRegistry()
    hooks.on(WorkerStart, slow)
    done = asyncio.Event()

    def job_started(event: JobStart) -> None:
        told.append("job")
        done.set()

    hooks.on(JobStart, job_started)
    async with running(gw_database, tasks=[work], hooks=hooks) as worker:
        await worker.create_utils().add_job(work)
        go.set()
        await asyncio.wait_for(done.wait(), 15)
    assert told == ["start", "started", "job"]


async def test_the_start_is_told_when_the_worker_is_registered_and_the_end_before_it_leaves(
    gw_database: str,
) -> None:
    seen: list[tuple[str, list[str]]] = []

    async def look(event: WorkerStart | WorkerShutdown) -> None:
        async with sql(gw_database) as connection:
            rows = await connection.fetch("select id from graphile_worker._private_workers")
        seen.append((event.worker_id, [row["id"] for row in rows]))

    hooks = HookRegistry()
    hooks.on(WorkerStart, look)
    hooks.on(WorkerShutdown, look)
    async with running(gw_database, tasks=[work], hooks=hooks) as worker:
        pass
    assert seen == [(worker.worker_id, [worker.worker_id])] * 2


async def test_a_worker_that_cannot_register_tells_of_no_start(gw_database: str) -> None:
    recorder = Recorder([WorkerStart, WorkerShutdown])
    options = WorkerOptions(database_url=gw_database, tasks=[work], plugins=[recorder])
    async with options.init() as worker, sql(gw_database) as connection:
        await connection.execute("drop table graphile_worker._private_workers cascade")
        with pytest.raises(DatabaseError):
            await worker.run()
    assert recorder.events == []


async def test_the_database_of_an_event_can_be_used(gw_database: str) -> None:
    ran: list[object] = []

    async def look(event: WorkerStart | WorkerShutdown) -> None:
        async with event.database.connection() as connection:
            ran.append(connection)

    hooks = HookRegistry()
    hooks.on(WorkerStart, look)
    hooks.on(WorkerShutdown, look)
    async with running(gw_database, tasks=[work], hooks=hooks):
        pass
    assert len(ran) == 2


@pytest.mark.parametrize("how", ["signal", "event", "cancel", "error"])
async def test_the_reason_of_a_shutdown(
    gw_database: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder([WorkerStart, WorkerShutdown])
    stop, started = asyncio.Event(), asyncio.Event()
    hooks = HookRegistry()
    hooks.on(WorkerStart, lambda _: started.set())
    options = WorkerOptions(
        database_url=gw_database,
        tasks=[work],
        plugins=[recorder],
        hooks=hooks,
        shutdown_signal=stop,
        listen_os_shutdown_signals=how == "signal",
    )

    async def broken(self: Engine) -> None:
        raise OSError("the engine broke")

    if how == "error":
        monkeypatch.setattr(Engine, "report_unknown_tasks", broken)
    async with options.init() as worker:
        run = asyncio.create_task(worker.run())
        await asyncio.wait_for(started.wait(), 15)
        _end(how, run, stop)
        async with asyncio.timeout(15):
            await asyncio.wait([run])
    [shutdown] = recorder.of(WorkerShutdown)
    expected = {"signal": ShutdownReason.SIGNAL, "error": ShutdownReason.ERROR}
    assert shutdown.reason is expected.get(how, ShutdownReason.GRACEFUL)
    assert shutdown.worker_id == worker.worker_id
    if how == "error":
        assert isinstance(run.exception(), OSError)


def _end(how: str, run: asyncio.Task[Any], stop: asyncio.Event) -> None:
    match how:
        case "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        case "event":
            stop.set()
        case "cancel":
            run.cancel()


async def test_plugins_are_asked_once_for_each_worker(gw_database: str) -> None:
    class Counting:
        def __init__(self) -> None:
            self.registered = 0

        def register(self, _hooks: HookRegistry) -> None:
            self.registered += 1

    plugin = Counting()
    options = WorkerOptions(database_url=gw_database, tasks=[work], plugins=[plugin])
    assert plugin.registered == 0
    async with options.init(), options.init():
        assert plugin.registered == 2


async def test_two_plugins_are_both_told_everything(gw_database: str) -> None:
    first, second = Recorder(), Recorder()
    options = WorkerOptions(database_url=gw_database, tasks=[work], plugins=[first, second])
    async with options.init() as worker:
        await worker.create_utils().add_job(work)
        await worker.run_once()
    assert first.names == second.names
    assert "JobComplete" in first.names
