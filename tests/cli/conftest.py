from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.command_line import PROGRAM, Ended, environment
from support.eventually import eventually

from graphile_worker.cli.main import run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command as a process; it does not outlive the test."""
    processes: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str, env: Mapping[str, str] = {}, **how: Any) -> Any:
        how = {"cwd": tmp_path, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **how}
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            env=environment(env),
            text=True,
            **{"stderr": subprocess.PIPE, **how},
        )
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def cli(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., Ended]:
    """Runs the command to its end, its output in pipes."""

    def run(*arguments: str, given: str = "", **how: Any) -> Ended:
        process = start(*arguments, **how)
        out, err = process.communicate(given, timeout=30)
        return Ended(process.returncode, out, err)

    return run


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs the command in this process: quicker, where how it prints is proven already."""

    def run_here(*arguments: str) -> Ended:
        code = run(arguments)
        shown = capsys.readouterr()
        return Ended(code, shown.out, shown.err)

    return run_here


@pytest.fixture
def at_terminal(start: Callable[..., subprocess.Popen[str]]) -> Iterator[Callable[..., Ended]]:
    """Runs the command to its end with a terminal for everything.

    Where it asks, the answer is typed; None stands for Ctrl-C.
    """
    opened: list[int] = []

    def run(*arguments: str, answer: str | None = "", **how: Any) -> Ended:
        ours, theirs = pty.openpty()
        opened.append(ours)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
        process = start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, **how)
        os.close(theirs)
        out = b""
        while piece := _read(ours):
            out += piece
            if answer != "" and b"[y/N]: " in out:
                if answer is None:
                    until_it_reads_its_terminal(process)
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, answer.encode())
                answer = ""
        process.wait(timeout=30)
        return Ended(process.returncode, out.decode().replace("\r\n", "\n"), "")

    yield run
    for terminal in opened:
        os.close(terminal)


@pytest.fixture
def on_terminal(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., Ended]:
    """Runs the command to its end on a terminal, 110 columns wide."""

    def run(*arguments: str, **how: Any) -> Ended:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
        process = start(*arguments, stdout=theirs, **how)
        os.close(theirs)
        out = b"".join(iter(lambda: _read(ours), b"")).decode()
        os.close(ours)
        err = process.communicate(timeout=30)[1]
        return Ended(process.returncode, out.replace("\r\n", "\n"), err)

    return run


def until_it_reads_its_terminal(process: subprocess.Popen[str]) -> None:
    """A signal just before the system call would be noticed only after it (a race of Python's)."""
    channel = Path(f"/proc/{process.pid}/wchan")
    if sys.platform == "linux":
        eventually(lambda: channel.read_text() in {"wait_woken", "n_tty_read"})


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed, which a terminal tells so
        return b""


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A module `jobs` as users write it, in the folder in which the commands run."""
    path = tmp_path / "jobs.py"
    path.write_text(TASKS)
    return path


TASKS = """
import asyncio
from typing import Any
from graphile_worker import PermanentFailure, WorkerOptions, task

@task
async def fine(payload: Any) -> None:
    print("fine", payload, flush=True)

@task
def broken(payload: Any) -> None:
    raise ValueError("not today")

@task
async def hopeless(payload: Any) -> None:
    raise PermanentFailure("never")

@task
async def slow(payload: Any) -> None:
    print("slow began", flush=True)
    await asyncio.sleep(payload)
    print("slow ended", flush=True)

tasks = [fine, broken, hopeless, slow]
empty = []
twice = [fine, task("fine")(broken.fn)]
strangers = [fine, print]
number = 5
options = WorkerOptions(tasks=tasks, concurrency=3)

def make():
    return WorkerOptions(tasks=[fine])

async def make_async():
    await asyncio.sleep(0)
    return WorkerOptions(tasks=(fine,))

def make_nothing():
    raise KeyError("no settings")

class Nested:
    tasks = [fine]
"""
