"""Process tasks through a worker and a database; threads are in test_run_once."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from support.no_threads import no_more_threads
from support.running import running, until
from support.tasks_in_processes import Work, far_away, hangs

from graphile_worker import ConfigurationError, Job, SyncWorkerContext, WorkerOptions, task


async def run(url: str, payload: object, *tasks: object) -> Job | None:
    options = WorkerOptions(database_url=url, tasks=tasks, process_workers=1)
    async with options.init() as worker:
        utils = worker.create_utils()
        job = await utils.add_job(tasks[0], payload)  # type: ignore[call-overload]
        await worker.run_once()
        return await utils.get_job(job.id)


async def test_a_process_task_runs_elsewhere(gw_database: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert await run(gw_database, Work(str(log)), far_away) is None
    assert int(log.read_text()) != os.getpid()


@pytest.mark.parametrize(
    ("ending", "attempts", "error"),
    [
        ("raise", 1, "ValueError: from afar"),
        ("exit", 1, "SystemExit: 3"),
        ("permanent", 25, "never"),
        ("snooze", 0, None),
        (
            "die",
            1,
            "ProcessDiedError: the process that ran it was killed by SIGKILL (out of memory?)",
        ),
    ],
)
async def test_how_a_process_task_ends_crosses_the_border(
    gw_database: str, tmp_path: Path, ending: str, attempts: int, error: str | None
) -> None:
    job = await run(gw_database, Work(str(tmp_path / "log"), ending), far_away)
    assert job is not None
    assert (job.attempts, job.last_error, job.locked_by) == (attempts, error, None)


async def test_a_process_task_that_times_out_is_killed(gw_database: str, tmp_path: Path) -> None:
    log = tmp_path / "pid"
    job = await run(gw_database, str(log), hangs)
    assert job is not None
    assert job.last_error == "TimeoutError: 1 s"
    assert not psutil.pid_exists(int(log.read_text()))


async def test_a_job_for_which_there_is_no_thread_is_tried_again(gw_database: str) -> None:
    ran = asyncio.Event()

    @task(payload=None, executor="thread", backoff=lambda _: timedelta(0))
    def work(ctx: SyncWorkerContext) -> None:
        loop.call_soon_threadsafe(ran.set)

    loop = asyncio.get_running_loop()
    async with running(gw_database, tasks=[work], concurrency=1, poll_interval=0.02) as worker:
        utils = worker.create_utils()

        async def ready() -> bool:
            return worker.health().is_ready

        await until(ready)  # it has threads of its own
        with no_more_threads():
            job = await utils.add_job(work, None)

            async def failed() -> str | None:
                row = await utils.get_job(job.id)
                return row and row.last_error

            error = await until(failed)
        assert error.startswith("RuntimeError: can't start new thread: 0 of at most 1 threads")
        await asyncio.wait_for(ran.wait(), 20)


async def test_a_task_no_other_process_could_find_is_refused_at_once(gw_database: str) -> None:
    @task(executor="process")
    def hidden(payload: int) -> None: ...

    with pytest.raises(ConfigurationError, match="'hidden'"):
        await WorkerOptions(database_url=gw_database, tasks=[hidden]).init()


async def test_a_handler_with_a_wrong_annotation_is_refused_at_once(gw_database: str) -> None:
    @task
    async def mistaken(payload: Missing) -> None: ...  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(ConfigurationError, match="Missing"):
        await WorkerOptions(database_url=gw_database, tasks=[mistaken]).init()
