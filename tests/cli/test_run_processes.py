"""`run --processes`: real processes and real signals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import re
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.http import Answer, ask
from support.process_family import MARK, family
from support.running import sql, until

from graphile_worker import RawJobSpec, WorkerUtils

MODULE = """
import asyncio, os
import graphile_worker
from graphile_worker import WorkerContext, task

@task
async def note(payload: int, ctx: WorkerContext) -> None:
    async with ctx.database.connection() as connection:
        await connection.raw.execute("insert into public.done values ($1, $2)", payload, os.getpid())

@task
async def slow(payload: float, ctx: WorkerContext) -> None:
    ctx.logger.info("slow began in %d", os.getpid())
    await asyncio.sleep(payload)
    ctx.logger.info("slow ended")

held = []

@task
async def hoard(payload: int) -> None:
    held.append(b"x" * payload)

@task
async def broken(payload: object) -> None:
    raise ValueError("not today")

tasks = [note, slow, hoard, broken]
"""


@dataclass
class Supervised:
    """A supervisor that runs, what it and its processes have logged, and who they are."""

    process: subprocess.Popen[str]
    mark: str
    lines: list[str] = field(default_factory=list)
    coming: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)

    def read(self) -> None:
        for line in self.process.stderr:
            self.coming.put(line.rstrip("\n"))
        self.coming.put(None)

    def says(self, pattern: str) -> re.Match[str]:
        """The next line that matches."""
        deadline = time.monotonic() + 30
        while True:
            line = self.coming.get(timeout=max(0.01, deadline - time.monotonic()))
            assert line is not None, f"it ended without {pattern!r}: {self.lines}"
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found

    def ready(self, number: int) -> int:
        """The pid of a process, once it is ready."""
        return int(self.says(rf"process {number} \(pid (\d+)\) is ready")[1])

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(30)
        while (line := self.coming.get(timeout=30)) is not None:
            self.lines.append(line)
        assert family(self.mark) == []
        return code


@pytest.fixture
def supervised(start, tmp_path) -> Callable[..., Supervised]:
    (tmp_path / "jobs.py").write_text(MODULE)
    marks = []

    def start_one(
        *arguments: str, target: str = "jobs:tasks", how: Mapping[str, Any] = {}, **env: str
    ) -> Supervised:
        mark = uuid.uuid4().hex
        marks.append(mark)
        process = start("run", target, *arguments, env={MARK: mark, **env}, **how)
        found = Supervised(process, mark)
        threading.Thread(target=found.read, daemon=True).start()
        return found

    yield start_one
    for mark in marks:
        for pid in family(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def database(migrated_database: str) -> str:
    async with sql(migrated_database) as connection:
        await connection.execute("create table done (number int, pid int)")
    return migrated_database


async def add(url: str, task: str, payloads: list[Any]) -> None:
    async with WorkerUtils.connect(url) as utils:
        for start in range(0, len(payloads), 10_000):
            some = payloads[start : start + 10_000]
            await utils.add_raw_jobs([RawJobSpec(task, payload) for payload in some])


async def jobs(url: str) -> list[Any]:
    async with WorkerUtils.connect(url) as utils:
        return await utils.list_jobs(limit=None)


async def test_processes_share_the_jobs_and_a_killed_one_is_replaced(supervised, database):
    run = supervised("--processes", "2", "--database-url", database)
    first, second = run.ready(1), run.ready(2)
    assert first != second
    os.kill(first, signal.SIGKILL)
    run.says(rf"\[supervisor\] .*process 1 \(pid {first}\) was killed by SIGKILL")
    third = run.ready(1)
    await add(database, "slow", [0.3] * 12)
    began = {int(run.says(r"^\[\d\] .*slow began in (\d+)")[1]) for _ in range(6)}
    assert began <= {second, third}
    await add(database, "broken", [None])
    run.says(r"^\[\d\] Traceback")
    run.says(r"^\[\d\] ValueError: not today")
    assert run.end() == 0
    assert any("SIGTERM: finishing running jobs" in line for line in run.lines)
    assert not [job for job in await jobs(database) if job.locked_by]


def test_processes_are_replaced_and_end_where_sigchld_was_ignored(supervised, database):
    """An ignored signal stays ignored in what is executed."""
    ignoring = {"preexec_fn": lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)}
    run = supervised("--processes", "2", "--database-url", database, how=ignoring)
    first, _ = run.ready(1), run.ready(2)
    os.kill(first, signal.SIGKILL)
    run.says(rf"process 1 \(pid {first}\) was killed by SIGKILL")
    run.ready(1)
    assert run.end() == 0


async def test_a_second_signal_hands_running_jobs_back(supervised, database):
    await add(database, "slow", [60, 60])
    run = supervised(
        *("--processes", "2", "-c", "1", "--shutdown-grace-period", "50s"),
        *("--database-url", database),
    )
    run.says("slow began")
    run.says("slow began")
    run.process.send_signal(signal.SIGINT)
    run.says("SIGINT: finishing")
    await asyncio.sleep(1.1)  # signals within a second count as one
    assert run.end(signal.SIGINT) == 0
    left = await jobs(database)
    assert [(job.attempts, job.locked_by) for job in left] == [(0, None)] * 2


async def test_jobs_survive_the_death_of_a_process_and_of_the_supervisor(supervised, database):
    await kill_and_count(supervised, database, processes=2, count=3_000)


@pytest.mark.full
@pytest.mark.timeout(600)
async def test_many_jobs_survive_the_death_of_a_process_and_of_the_supervisor(supervised, database):
    await kill_and_count(supervised, database, processes=4, count=200_000)


async def kill_and_count(supervised, database: str, *, processes: int, count: int) -> None:
    await add(database, "note", list(range(count)))
    arguments = (
        *("--processes", str(processes), "-c", "8", "--log-level", "info"),
        *("--heartbeat-interval", "200ms", "--sweep-interval", "300ms"),
        *("--sweep-threshold", "3s", "--recovery-delay", "0", "--database-url", database),
    )
    run = supervised(*arguments)
    pids = [run.ready(number) for number in range(1, 2)]
    async with sql(database) as connection:
        await until(lambda: done(connection, count // 10), seconds=120)
        os.kill(pids[0], signal.SIGKILL)
        run.says("was killed by SIGKILL")
        run.ready(1)
        await until(lambda: done(connection, count // 3), seconds=120)
        run.process.kill()
        run.process.wait()
        eventually(lambda: not family(run.mark), seconds=20)
        assert await connection.fetchval("select count(*) from done") < count, "too quick a test"
        locked = [job.id for job in await jobs(database) if job.locked_by]
        again = supervised(*arguments)
        await until(lambda: empty(connection), seconds=300)
        assert again.end() == 0
        assert await connection.fetchval("select count(distinct number) from done") == count
        twice = await connection.fetchval(
            "select count(*) from (select from done group by number having count(*) > 1) as twice"
        )
    # What the killed process had claimed may have run twice; those that drained lost nothing. It
    # held as many as it has slots, and as many whose ends were on their way to the database.
    assert len(locked) <= 16
    assert twice <= 16


async def done(connection: Any, least: int) -> bool:
    return await connection.fetchval("select count(*) from done") >= least


async def empty(connection: Any) -> bool:
    return not await connection.fetchval("select count(*) from graphile_worker._private_jobs")


async def test_a_process_is_replaced_after_so_many_jobs_without_a_gap(supervised, database):
    await add(database, "slow", [30])
    run = supervised(
        *("--max-jobs-per-process", "5", "-c", "3", "--shutdown-grace-period", "40s"),
        *("--database-url", database),
    )
    old = run.ready(1)
    await add(database, "note", list(range(5)))
    run.says(rf"process 1 \(pid {old}\) is replaced: it has run \d jobs \(at most 5\)")
    new = run.ready(1)
    # The old one has a job that still runs, and the new one takes what comes.
    assert {old, new} <= set(family(run.mark))
    await add(database, "note", [99])
    async with sql(database) as connection:
        query = "select pid from done where number = 99"
        assert await until(lambda: connection.fetchval(query)) == new
    os.kill(old, signal.SIGKILL)
    run.says(rf"process 1 \(pid {old}\) was killed by SIGKILL .*while ending")
    assert run.end() == 0


async def test_a_process_that_holds_too_much_memory_is_replaced(supervised, database):
    run = supervised("--max-memory-per-process", "300MB", "--database-url", database)
    old = run.ready(1)
    await add(database, "hoard", [400_000_000])
    run.says(rf"process 1 \(pid {old}\) is replaced: it holds \d+ MiB \(at most 286\)")
    assert run.ready(1) != old
    eventually(lambda: old not in family(run.mark))
    assert run.end() == 0


async def test_a_limit_of_memory_that_is_reached_at_once_is_refused(supervised, database):
    run = supervised("--max-memory-per-process", "1MB", "--database-url", database)
    assert run.ended() == 1
    assert "MiB as soon as it is ready; --max-memory-per-process must be more" in run.lines[-1]


async def test_probes_and_metrics_are_answered_for_all(supervised, database):
    port = free_port()
    run = supervised(
        *("--processes", "2", "-c", "3", "--listen", f"127.0.0.1:{port}", "--log-format", "json"),
        *("--database-url", database),
    )
    pids = [run.ready(1), run.ready(2)]
    assert {json.loads(line)["worker_process"] for line in run.lines} == {1, 2, "supervisor"}
    assert (await ask(port, "/healthz")).body == "ok\n"
    answer = await ask(port, "/readyz")
    health = json.loads(answer.body)
    assert (answer.status, health["is_ready"]) == (200, True)
    assert [process["pid"] for process in health["processes"]] == pids
    assert [process["worker"]["slots"] for process in health["processes"]] == [3, 3]
    await add(database, "note", list(range(200)))
    counted = 'graphile_worker_jobs_total{outcome="completed",task="note"} 200.0'
    both = "graphile_worker_slots 6.0"
    await until_answer(port, "/metrics", lambda answer: counted in answer.body)
    await until_answer(port, "/metrics", lambda answer: both in answer.body)
    os.kill(pids[0], signal.SIGKILL)
    await until_answer(port, "/readyz", lambda answer: answer.status == 503)
    await until_answer(port, "/readyz", lambda answer: answer.status == 200)
    # What a dead process counted is still counted; what it had is not.
    await until_answer(port, "/metrics", lambda answer: both in answer.body)
    assert counted in (await ask(port, "/metrics")).body
    assert run.end() == 0


async def until_answer(port: int, path: str, holds: Callable[[Answer], bool]) -> None:
    async def holds_now() -> bool:
        return holds(await ask(port, path))

    await until(holds_now)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(
    ("target", "url", "message"),
    [
        ("jobs:nothing", "postgres://127.0.0.1:1/x", "has no attribute 'nothing'"),
        ("jobs:tasks", "embedded:?temporary", "a database of its own"),
    ],
)
def test_what_cannot_start_is_given_up_at_once(supervised, target, url, message):
    run = supervised("--processes", "3", "--database-url", url, target=target)
    assert run.ended() == 1
    [error] = [line for line in run.lines if line.startswith("Error: ")]
    assert message in error
    assert "giving up: process 1" in run.lines[-1]


async def test_an_address_that_is_taken_ends_all(supervised, database):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        run = supervised("--processes", "2", "--listen", taken, "--database-url", database)
        assert run.ended() == 1
    assert run.lines[-1].startswith("Error: cannot listen on")


@pytest.mark.parametrize(
    ("file", "environment"),
    [
        ("", {"GRAPHILE_WORKER_PROCESSES": "2", "GRAPHILE_WORKER_MAX_JOBS_PER_PROCESS": "9"}),
        ("processes = 2\nmax_memory_per_process = '1GB'\n", {}),
    ],
)
def test_once_is_one_process_where_others_have_several(cli, database, tmp_path, file, environment):
    """As of `kubectl exec … run app.worker:options --once` beside the workers."""
    (tmp_path / "jobs.py").write_text(MODULE)
    (tmp_path / "worker.toml").write_text(file)
    once = ("run", "jobs:tasks", "--once", "--config", "worker.toml", "--database-url", database)
    ended = cli(*once, env=environment)
    assert (ended.code, ended.out) == (0, "0 completed, 0 failed, 0 to be retried\n"), ended.err
    refused = cli(*once, "--max-jobs-per-process", "9", env=environment)
    assert (refused.code, refused.out) == (2, "")


def test_one_pass_is_made_by_one_process(cli, tasks):
    ended = cli("run", "jobs:tasks", "--once", "--processes", "2")
    assert ended.code == 2
    assert "--once runs in one process" in ended.err


# -- programs -------------------------------------------------------------------------------------


async def test_a_program_ends_with_a_worker_that_is_killed(supervised, database, tmp_path):
    program = tmp_path / "programs" / "linger.sh"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n(sleep 600; true) &\necho lingering\nwait\n")
    program.chmod(0o755)
    run = supervised("--tasks-dir", str(program.parent), "--database-url", database)
    await add(database, "linger", [None])
    run.says("lingering")
    run.process.kill()
    run.process.wait()
    eventually(lambda: not family(run.mark))


# -- reload ---------------------------------------------------------------------------------------


async def test_a_change_starts_it_again_and_hands_jobs_back(supervised, database, tmp_path):
    await add(database, "slow", [60])
    run = supervised("--reload", "--database-url", database)
    run.says("slow began")
    source = MODULE.replace("slow began", "quick began").replace("sleep(payload)", "sleep(0)")
    replace_file(tmp_path / "jobs.py", source)
    run.says(r"changed, starting again: jobs\.py")
    run.says("quick began")
    async with sql(database) as connection:
        await until(lambda: empty(connection))
    replace_file(tmp_path / "jobs.py", "tasks = [\n")
    run.says("Error: .*jobs.py:1: SyntaxError")
    run.says("waiting for a change")
    replace_file(tmp_path / "jobs.py", MODULE)
    run.ready(1)
    assert run.end() == 0


def replace_file(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


@pytest.mark.full
async def test_a_process_whose_event_loop_is_blocked_does_not_outlive_its_supervisor(
    supervised, database, tmp_path
):
    (tmp_path / "jobs.py").write_text(
        MODULE
        + "\n@task(payload=None)\nasync def block(ctx: WorkerContext) -> None:\n"
        + "    ctx.logger.info('blocked'); import time; time.sleep(600)\n\ntasks.append(block)\n"
    )
    run = supervised("--max-jobs-per-process", "99", "--database-url", database)
    run.ready(1)
    await add(database, "block", [None])
    run.says("blocked")
    run.process.kill()
    run.process.wait()
    eventually(lambda: not family(run.mark), seconds=40)
