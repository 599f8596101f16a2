"""Programs as tasks, by a worker."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.eventually import eventually
from support.running import running, until

from graphile_worker import ConfigurationError, JobSpec, WorkerOptions
from graphile_worker.executables.folder import tasks_in
from graphile_worker.executables.program import LONGEST_LINE, LONGEST_TAIL, run_program
from graphile_worker.executables.warden import Warden
from graphile_worker.testing import context


@pytest.fixture
def write(tmp_path):
    def write_one(name: str, text: str, mode: int = 0o755) -> Path:
        path = tmp_path / "tasks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    return write_one


def options(url: str, tmp_path: Path) -> WorkerOptions:
    return WorkerOptions(database_url=url, tasks=tasks_in(tmp_path / "tasks"))


# -- which files are tasks ------------------------------------------------------------------------


def test_executable_files_are_tasks_called_like_them(write, tmp_path):
    write("hello", "")
    write("mail/send-all.v2.sh", "")
    write("not_executable.sh", "", 0o644)
    write(".hidden", "")
    write("a folder/inside", "")
    write("odd name.sh", "")
    (tmp_path / "tasks" / "linked.sh").symlink_to(write("../elsewhere", ""))
    (tmp_path / "tasks" / "to_nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "tasks" / "folder_link").symlink_to(tmp_path / "tasks" / "mail")
    assert [task.identifier for task in tasks_in(tmp_path / "tasks")] == [
        "hello",
        "linked",
        "mail/send-all",
    ]


def test_what_cannot_be_a_folder_of_tasks(write, tmp_path):
    with pytest.raises(ConfigurationError, match="there is no folder"):
        tasks_in(tmp_path / "tasks")
    write("readme.txt", "", 0o644)
    with pytest.raises(ConfigurationError, match="chmod"):
        tasks_in(tmp_path / "tasks")
    write("same.sh", "")
    write("same.py", "")
    with pytest.raises(ConfigurationError, match=r"both are the task 'same'"):
        tasks_in(tmp_path / "tasks")


# -- what a program gets --------------------------------------------------------------------------


def read(path: str) -> str:
    return Path(path).read_text()


async def run_one(url, tmp_path, payload=None, spec=None):
    async with options(url, tmp_path).init() as worker:
        utils = worker.create_utils()
        added = await utils.add_raw_job("program", payload, spec or JobSpec())
        result = await worker.run_once()
        return result, await utils.get_job(added.id), added


async def test_payload_and_environment_are_those_of_node(gw_database, write, tmp_path):
    out = tmp_path / "out"
    write("program", f"#!/bin/sh\ncat >{out}.json\nenv >{out}.env\npwd >{out}.cwd\n")
    at = datetime(2020, 1, 2, 3, 4, 5, 678000, UTC)
    payload = {"to": "ada", "$(id)": ["`id`", 2**70], "snow": "☃"}
    spec = JobSpec(run_at=at, priority=-3, max_attempts=7, job_key="k; id")
    result, _, job = await run_one(gw_database, tmp_path, payload, spec)
    assert result.completed == 1
    assert json.loads(read(f"{out}.json")) == {"payload": payload}
    lines = dict(line.split("=", 1) for line in read(f"{out}.env").splitlines())
    assert read(f"{out}.cwd").strip() == str(Path.cwd())
    told = {name: value for name, value in lines.items() if name.startswith("GRAPHILE_WORKER_")}
    for name in ("GRAPHILE_WORKER_TEST_DATABASE_URL", "GRAPHILE_WORKER_NO_SKIPS"):
        told.pop(name, None)
    assert told == {
        "GRAPHILE_WORKER_PAYLOAD_FORMAT": "json",
        "GRAPHILE_WORKER_TASK_IDENTIFIER": "program",
        "GRAPHILE_WORKER_JOB_ID": str(job.id),
        "GRAPHILE_WORKER_JOB_KEY": "k; id",
        "GRAPHILE_WORKER_JOB_ATTEMPTS": "1",
        "GRAPHILE_WORKER_JOB_MAX_ATTEMPTS": "7",
        "GRAPHILE_WORKER_JOB_PRIORITY": "-3",
        "GRAPHILE_WORKER_JOB_RUN_AT": "2020-01-02T03:04:05.678Z",
    }


async def test_a_program_need_not_read_what_it_is_sent(gw_database, write, tmp_path):
    write("program", "#!/bin/sh\nexec <&-\n")
    result, _, _ = await run_one(gw_database, tmp_path, "x" * 5_000_000)
    assert result.completed == 1


# -- what it says ---------------------------------------------------------------------------------


async def test_its_output_is_in_the_log_line_by_line(gw_database, write, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    write("program", "#!/bin/sh\necho one\nprintf 'two\\377'\necho three >&2\n")
    _, _, job = await run_one(gw_database, tmp_path)
    said = {
        (record.getMessage(), record.levelname, getattr(record, "job_id", None))
        for record in caplog.records
        if record.name == "graphile_worker.job"
    }
    assert said == {
        ("one", "INFO", job.id),
        ("two\N{REPLACEMENT CHARACTER}", "INFO", job.id),
        ("three", "ERROR", job.id),
    }


async def test_its_last_words_are_kept_and_all_is_bounded(gw_database, write, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    write(
        "program",
        "#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x >&2\necho >&2\necho no disk >&2\nexit 3\n",
    )
    result, job, _ = await run_one(gw_database, tmp_path)
    assert result.retried == 1
    assert job.last_error.startswith("ProgramFailedError: exit code 3: xxx")
    assert job.last_error.endswith("x\nno disk")
    assert len(job.last_error) < LONGEST_TAIL + 100
    lines = [r.getMessage() for r in caplog.records if r.name == "graphile_worker.job"]
    assert max(map(len, lines)) == LONGEST_LINE
    assert sum(map(len, lines)) == 100_007


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("#!/bin/sh\nexit 7\n", "ProgramFailedError: exit code 7"),
        ("#!/bin/sh\nkill -9 $$\n", "ProgramFailedError: killed by SIGKILL"),
        ("#!/no/such/interpreter\n", "cannot start"),
    ],
)
async def test_how_it_ended_is_told(gw_database, write, tmp_path, text, error):
    write("program", text)
    result, job, _ = await run_one(gw_database, tmp_path)
    assert result.retried == 1
    assert error in job.last_error


async def test_what_it_leaves_behind_does_not_hold_up_the_job(gw_database, write, tmp_path):
    write("program", f"#!/bin/sh\nsleep 60 &\necho $! >{tmp_path}/left\n")
    try:
        result, _, _ = await run_one(gw_database, tmp_path)
        assert result.completed == 1
    finally:
        os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)


# -- its end --------------------------------------------------------------------------------------


async def test_a_shutdown_ends_it_with_all_that_it_started(gw_database, write, tmp_path):
    pids = tmp_path / "pids"
    write(
        "program",
        "#!/bin/sh\ntrap '' TERM\n(trap '' TERM; sleep 60; sleep 60) &\n"
        f"echo $$ $! >{pids}.new\nmv {pids}.new {pids}\nwait\nsleep 60\n",
    )
    tasks = tasks_in(tmp_path / "tasks")
    async with running(gw_database, tasks=tasks, shutdown_grace_period=0) as worker:
        utils = worker.create_utils()
        job = await utils.add_raw_job("program")
        await until(lambda: asyncio.to_thread(pids.exists))
    await until(lambda: asyncio.to_thread(all_gone, pids.read_text().split()))
    async with options(gw_database, tmp_path).init() as worker:
        left = await worker.create_utils().get_job(job.id)
    assert (left.attempts, left.locked_by) == (0, None)


def all_gone(pids: list[str]) -> bool:
    return not any(is_alive(int(pid)) for pid in pids)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_program_that_is_just_being_started_is_ended_with_all_that_it_started(
    write, tmp_path
):
    """asyncio has not told us of it yet, and would end the program alone."""
    pids = tmp_path / "pids"
    program = write(
        "program", f"#!/bin/sh\nsleep 60 &\necho $$ $! >{pids}.new\nmv {pids}.new {pids}\nwait\n"
    )
    run = asyncio.create_task(run_program(program, context(), Warden()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the program is started, in the thread of the loop
    eventually(pids.exists)  # while the loop stands still
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await until(lambda: asyncio.to_thread(all_gone, pids.read_text().split()))
