import asyncio
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from support import process_tasks as tasks
from support.no_threads import no_more_threads

from graphile_worker.errors import ConfigurationError, PayloadError, PermanentFailure, Snooze
from graphile_worker.worker.call_result import Raised, Returned
from graphile_worker.worker.process_pool import ProcessDiedError, ProcessPool, RemoteError
from graphile_worker.worker.task_path import TaskPath, task_path

DEADLINE = 20.0
TESTS = Path(__file__).parent.parent


@pytest.fixture
async def pool():
    pool = ProcessPool(2)
    yield pool
    await pool.aclose()
    assert not pool._processes


class Reports:
    """What the handlers tell from their processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name="report"):
        return str(self._folder / name)

    def names(self):
        return [path.name for path in self._folder.iterdir()]

    async def read(self, name="report"):
        return await asyncio.to_thread(self.wait, name)

    def wait(self, name="report"):
        path = Path(self.path(name))
        until = time.monotonic() + DEADLINE
        while not path.exists():
            assert time.monotonic() < until, f"{name} never came"
            time.sleep(0.005)
        return json.loads(path.read_text())


@pytest.fixture
def reports(tmp_path):
    return Reports(tmp_path)


def run(pool, task, payload, timeout=None):
    return pool.call(task_path(task), json.dumps(payload), timeout=timeout)


async def gone(pid):
    """Wait until a process is gone; one that is dead but not reaped counts."""

    def wait():
        until = time.monotonic() + DEADLINE
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            while process.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() < until, f"process {pid} is still there"
                time.sleep(0.005)

    await asyncio.to_thread(wait)


def children():
    return {child.pid for child in psutil.Process().children()}


async def test_a_handler_runs_in_a_process_of_its_own(pool, reports):
    payload = {"report": reports.path(), "text": "ü €\u0001", "number": 2**70}

    assert await run(pool, tasks.tell, payload) == Returned(None)

    told = await reports.read()
    assert told["payload"] == payload
    assert told["pid"] != os.getpid()
    assert told["cwd"] == str(Path.cwd())
    assert told["path"] == sys.path
    assert told["argv"] == sys.argv
    assert told["looping"] is False


async def test_what_is_no_text_in_the_search_path_is_passed_over_as_imports_do(
    pool, reports, monkeypatch
):
    texts = list(sys.path)
    monkeypatch.setattr(sys, "path", [Path("/nowhere"), *texts, b"/nowhere"])
    monkeypatch.setattr(sys, "argv", [Path("program"), "argument"])

    assert await run(pool, tasks.tell, {"report": reports.path()}) == Returned(None)

    told = await reports.read()
    assert told["path"] == texts
    assert told["argv"] == ["program", "argument"]


class NoText:
    def __str__(self) -> str:
        raise LookupError("no text")


async def test_a_process_that_cannot_be_started_for_any_reason_fails_its_job(pool, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [NoText()])
        result = await run(pool, tasks.without_payload, {})
    assert str(result.error) == (
        "the process that ran it could not be started: LookupError('no text')"
    )
    assert await run(pool, tasks.without_payload, {}) == Returned(None)


async def test_without_a_thread_for_it_no_process_is_started(pool):
    before = psutil.Process().num_fds()
    with no_more_threads(), pytest.raises(RuntimeError, match="to hold a process"):
        await run(pool, tasks.without_payload, {})
    assert psutil.Process().num_fds() == before
    assert await run(pool, tasks.without_payload, {}) == Returned(None)


async def test_a_handler_without_payload_is_called_without(pool, capfd):
    assert await run(pool, tasks.without_payload, {"_cron": {}}) == Returned(None)
    assert capfd.readouterr().out == "no payload was asked for\n"


async def test_a_process_imports_only_what_its_task_needs(pool, reports):
    await run(pool, tasks.tell, {"report": reports.path()})
    modules = set((await reports.read())["modules"])
    assert not modules & {"pytest", "psutil", "test_process_pool"}


async def test_the_signal_handlers_of_the_worker_are_not_inherited(pool, reports):
    previous = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        await run(pool, tasks.tell, {"report": reports.path()})
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert (await reports.read())["signals"][0] == repr(signal.SIG_DFL)


async def test_processes_are_started_when_needed_and_reused(pool, reports):
    before = children()
    pids = set()
    for number in range(3):
        await run(pool, tasks.tell, {"report": reports.path(f"{number}")})
        pids.add((await reports.read(f"{number}"))["pid"])
    assert len(pids) == 1
    assert children() - before == pids


async def test_no_more_processes_run_than_the_size_says(pool, reports, tmp_path_factory):
    go_on = tmp_path_factory.mktemp("sign") / "go on"
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            payload = {"report": reports.path(f"{number}"), "file": str(go_on)}
            group.create_task(run(pool, tasks.wait_for_file, payload))
        await reports.read("0")
        await reports.read("1")
        assert len(pool._processes) == 2
        assert sorted(reports.names()) == ["0", "1"]
        go_on.touch()
    assert len({reports.wait(f"{number}")["pid"] for number in range(5)}) == 2


@pytest.mark.parametrize(
    ("payload", "type_name", "text"),
    [
        ("value", "ValueError", "the frame \\udcff is \0 broken"),
        ("empty", "KeyError", ""),
        ("exit", "SystemExit", "3"),
        ("interrupt", "KeyboardInterrupt", ""),
        ("stop", "StopIteration", ""),
        ("unreadable", "UnreadableError", "(its text cannot be read: __str__ failed)"),
    ],
)
async def test_an_error_keeps_its_name_and_text(pool, payload, type_name, text):
    result = await run(pool, tasks.fail, payload)

    assert isinstance(result, Raised)
    assert isinstance(result.error, RemoteError)
    assert type(result.error).__name__ == type_name
    assert str(result.error) == text
    if payload != "unreadable":
        assert "in fail" in result.error.traceback
        assert "process_child" not in result.error.traceback
        assert result.error.traceback.rstrip() in result.error.__notes__[0]
    assert await run(pool, tasks.without_payload, {}) == Returned(None)
    assert len(pool._processes) == 1


async def test_a_very_long_error_text_is_cut(pool):
    result = await run(pool, tasks.fail, "long")
    assert str(result.error) == "x" * 256 * 1024


async def test_snooze_and_permanent_failure_cross_the_border(pool):
    snoozed = (await run(pool, tasks.fail, "snooze")).error
    failed = (await run(pool, tasks.fail, "permanent")).error
    assert isinstance(snoozed, Snooze)
    assert snoozed.delay == timedelta(minutes=2, microseconds=5)
    assert isinstance(failed, PermanentFailure)
    assert failed.reason == "no such account"


async def test_they_cross_it_too_where_their_class_does_not_call_ours(pool):
    snoozed = (await run(pool, tasks.fail, "odd snooze")).error
    failed = (await run(pool, tasks.fail, "odd permanent")).error
    assert type(snoozed).__name__ == "TypeError"
    assert str(snoozed).startswith("the delay of OddSnooze is None, not a timedelta")
    assert isinstance(failed, PermanentFailure)
    assert failed.reason == "no such account"


async def test_a_payload_that_does_not_fit_is_a_payload_error(pool):
    error = (await run(pool, tasks.fail, "misfit")).error
    assert isinstance(error, PayloadError)
    assert str(error) == "expected an object, got a string - at `$.frame`"


@pytest.mark.parametrize(
    ("payload", "text", "code"),
    [
        ("_exit", "the process that ran it died with exit code 3", 3),
        ("segfault", "the process that ran it was killed by SIGSEGV", -11),
        ("kill", "the process that ran it was killed by SIGKILL (out of memory?)", -9),
        ("close", "the process that ran it closed its connection and was killed", None),
    ],
)
async def test_a_process_that_dies_fails_only_its_job(pool, reports, tmp_path, payload, text, code):
    go_on = tmp_path / "go on"
    async with asyncio.TaskGroup() as group:
        waiting = {"report": reports.path(), "file": str(go_on)}
        other = group.create_task(run(pool, tasks.wait_for_file, waiting))
        await reports.read()
        result = await run(pool, tasks.fail, payload)
        go_on.touch()

    assert isinstance(result.error, ProcessDiedError)
    assert str(result.error) == text
    assert result.error.code == code
    assert other.result() == Returned(None)
    assert await run(pool, tasks.without_payload, {}) == Returned(None)


@pytest.mark.parametrize(
    "answer",
    ["\xff\xff\xff\xff", '\0\0\0\x10{"type":"pickle"}', "\0\0\0\x04\xff\xff\xff\xff"],
    ids=["too long", "of no known kind", "not JSON"],
)
async def test_an_answer_that_is_none_fails_its_job_and_kills_the_process(pool, answer):
    result = await run(pool, tasks.meddle, answer)
    assert str(result.error) == (
        "the process that ran it sent an answer that is none and was killed"
    )
    assert await run(pool, tasks.without_payload, {}) == Returned(None)


async def test_a_process_that_died_while_idle_costs_no_job(pool, reports):
    await run(pool, tasks.tell, {"report": reports.path("1")})
    os.kill((await reports.read("1"))["pid"], signal.SIGKILL)

    assert await run(pool, tasks.tell, {"report": reports.path("2")}) == Returned(None)


async def test_a_fork_of_a_dead_process_does_not_hide_its_death(pool, reports):
    result = await run(pool, tasks.fork_and_die, {"report": reports.path()})
    os.killpg((await reports.read())["group"], signal.SIGKILL)
    assert str(result.error) == "the process that ran it died with exit code 5"


async def test_a_timeout_kills_the_process_and_the_next_call_gets_another(reports):
    pool = ProcessPool(1)
    await run(pool, tasks.without_payload, {})  # started: the timeout is the handler's

    with pytest.raises(TimeoutError, match=r"^0\.5 s$"):
        await run(pool, tasks.take_long, {"report": reports.path()}, timeout=0.5)

    assert await run(pool, tasks.tell, {"report": reports.path("next")}) == Returned(None)
    killed = (await reports.read())["pid"]
    await gone(killed)
    assert (await reports.read("next"))["pid"] != killed
    await pool.aclose()


async def test_cancelling_kills_the_process_and_the_programs_it_started(pool, reports):
    call = asyncio.ensure_future(
        run(pool, tasks.take_long_in_a_program, {"report": reports.path()})
    )
    told = await reports.read()

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    await gone(told["pid"])
    await gone(told["program"])


async def test_a_call_cancelled_while_its_process_starts_leaves_nothing_behind():
    before = children()
    pool = ProcessPool(1)
    call = asyncio.ensure_future(run(pool, tasks.without_payload, {}))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await pool.aclose()
    assert children() == before


async def test_signals_meant_for_the_worker_leave_a_running_handler_alone(pool, reports, tmp_path):
    go_on = tmp_path / "go on"
    payload = {"report": reports.path(), "file": str(go_on)}
    call = asyncio.ensure_future(run(pool, tasks.wait_for_file, payload))
    pid = (await reports.read())["pid"]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    go_on.touch()
    assert await call == Returned(None)


async def test_what_a_handler_prints_goes_where_the_workers_output_goes(pool, capfd):
    assert await run(pool, tasks.print_much, {}) == Returned(None)
    printed = capfd.readouterr()
    assert printed.out == "{" * 10_000 + "\n"
    assert printed.err == "to the error output\n"


async def test_a_big_payload_crosses_while_the_loop_goes_on(pool, reports):
    await run(pool, tasks.without_payload, {})
    text = json.dumps({"report": reports.path(), "big": "x" * 20_000_000})
    call = asyncio.ensure_future(pool.call(task_path(tasks.Frames.render), text))
    worst, before = 0.0, time.monotonic()
    while not call.done():
        await asyncio.wait({call}, timeout=0.005)
        now = time.monotonic()
        worst, before = max(worst, now - before), now
    assert call.result() == Returned(None)
    assert worst < 1


TASK_MODULE = """
from dataclasses import dataclass
from graphile_worker.tasks.decorator import task

@dataclass
class Frame:
    number: int

@task(executor="process")
def render(payload: Frame) -> None:
    raise ValueError(f"rendered {payload.number}")
"""


async def test_a_decorated_task_decodes_its_payload_in_its_process(pool, tmp_path, monkeypatch):
    (tmp_path / "frames.py").write_text(TASK_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    render = importlib.import_module("frames").render

    assert str((await run(pool, render, {"number": 7})).error) == "rendered 7"
    misfit = (await run(pool, render, {"number": "seven"})).error
    assert isinstance(misfit, PayloadError)
    assert "number" in str(misfit)


async def test_a_task_that_is_not_there_fails_its_job(pool):
    missing = TaskPath("support.process_tasks", "nothing")
    error = (await pool.call(missing, "{}")).error
    assert type(error).__name__ == "LookupError"
    assert "there is no task 'nothing' in the module 'support.process_tasks'" in str(error)

    error = (await pool.call(TaskPath("no_such_module", "x"), "{}")).error
    assert type(error).__name__ == "ModuleNotFoundError"


async def test_a_process_that_cannot_be_started_fails_its_job(pool, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    error = (await run(pool, tasks.without_payload, {})).error
    assert isinstance(error, ProcessDiedError)
    assert "could not be started: [Errno 2]" in str(error)


async def test_a_process_that_dies_at_its_start_fails_its_job(pool, monkeypatch, tmp_path):
    stub = tmp_path / "python"
    stub.write_text("#!/bin/sh\nexit 7\n")
    stub.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stub))
    error = (await run(pool, tasks.without_payload, {})).error
    assert str(error) == "the process that ran it died with exit code 7"


async def test_closing_lets_idle_processes_end_and_kills_busy_ones_after_the_grace(reports):
    before = children()
    pool = ProcessPool(2)
    busy = asyncio.ensure_future(run(pool, tasks.take_long, {"report": reports.path()}))
    await reports.read()
    await run(pool, tasks.without_payload, {})
    assert len(children() - before) == 2

    await pool.aclose(0.05)

    assert "was killed by SIGKILL" in str((await busy).error)
    assert children() == before


async def test_closing_waits_for_a_busy_process_within_the_grace(reports, tmp_path):
    pool = ProcessPool(1)
    go_on = tmp_path / "go on"
    payload = {"report": reports.path(), "file": str(go_on)}
    async with asyncio.TaskGroup() as group:
        call = group.create_task(run(pool, tasks.wait_for_file, payload))
        await reports.read()
        group.create_task(pool.aclose(DEADLINE))
        await asyncio.sleep(0)
        go_on.touch()
    assert call.result() == Returned(None)


async def test_a_closed_pool_refuses_calls():
    pool = ProcessPool(1)
    await pool.aclose()
    await pool.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await run(pool, tasks.without_payload, {})


def test_a_task_is_found_by_its_module_and_name():
    assert task_path(tasks.tell) == TaskPath("support.process_tasks", "tell")
    assert task_path(tasks.Frames.render) == TaskPath("support.process_tasks", "Frames.render")
    assert task_path(tasks.without_payload) == TaskPath("support.process_tasks", "without_payload")
    assert task_path(tasks.a_lambda) == TaskPath("support.process_tasks", "a_lambda")


@pytest.mark.parametrize(
    "task",
    [
        tasks.defined_inside(),
        tasks.process_task(lambda _: None),
        tasks.process_task(tasks.undecorated),
    ],
    ids=["defined inside a function", "a lambda", "kept nowhere"],
)
def test_a_task_that_a_process_cannot_find_is_refused(task):
    with pytest.raises(ConfigurationError, match="another process cannot find"):
        task_path(task)


SCRIPT = """
import asyncio, sys, threading
sys.path.append({tests!r})
from support.process_tasks import process_task, report, take_long, hold_the_lock
from graphile_worker.worker.process_pool import ProcessPool
from graphile_worker.worker.task_path import task_path

@process_task
def in_the_script(payload):
    report(payload, name=__name__)

async def main(task, payload):
    pool = ProcessPool(1)
    print(await pool.call(task_path(globals()[task]), payload), flush=True)
    await pool.aclose()

{guard}asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def script(tmp_path):
    def write(guard='if __name__ == "__main__": '):
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(SCRIPT).format(tests=str(TESTS), guard=guard))
        return path

    return write


@pytest.mark.parametrize("way", ["by path", "as module"])
def test_a_task_of_the_program_itself_is_found(script, tmp_path, reports, way):
    path = script()
    program = [str(path)] if way == "by path" else ["-m", path.stem]
    ended = subprocess.run(
        [sys.executable, *program, "in_the_script", json.dumps(reports.path())],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        cwd=tmp_path,
    )
    assert (ended.stdout, ended.stderr) == ("Returned(value=None)\n", "")
    assert reports.wait()["name"] == ("__mp_main__" if way == "by path" else "script")


def test_a_program_that_starts_a_worker_when_imported_is_told_how_to_guard_it(script):
    ended = subprocess.run(
        [sys.executable, str(script(guard="")), "in_the_script", '"unused"'],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert "a worker is started inside the process that runs one of its tasks" in ended.stdout
    assert 'put the start under: if __name__ == "__main__":' in ended.stdout


def test_a_task_of_an_interactive_program_is_refused():
    program = textwrap.dedent(SCRIPT).format(tests=str(TESTS), guard="")
    ended = subprocess.run(
        [sys.executable, "-c", program, "in_the_script", "{}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert "is defined in a program that is not a file" in ended.stderr


@pytest.mark.parametrize("task", ["take_long", "hold_the_lock"])
async def test_a_process_dies_with_its_worker_even_when_that_is_killed(script, reports, task):
    worker = await asyncio.create_subprocess_exec(
        sys.executable, str(script()), task, json.dumps({"report": reports.path()})
    )
    pid = (await reports.read())["pid"]
    worker.kill()
    await worker.wait()
    await gone(pid)
