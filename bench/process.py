"""A program that is measured: started, listened to, weighed, killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from bench.installing import Program

TELLS_WITHIN = 60.0
"""Seconds within which a program has to tell what is waited for."""


class ProgramError(Exception):
    """A program ended, or said nothing in time."""


class Running:
    """A program that runs, and its events."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @cached_property
    def _weighed(self) -> psutil.Process:
        """Looked for when it is needed: a program may have ended by now."""
        return psutil.Process(self._process.pid)

    async def event(self, name: str) -> list[str]:
        """The words after the name of the next such event; others are passed over."""
        try:
            async with asyncio.timeout(TELLS_WITHIN):
                async for words in self.events():
                    if words[0] == name:
                        return words[1:]
        except TimeoutError:
            raise ProgramError(f"no {name!r} within {TELLS_WITHIN:g} s") from None
        raise ProgramError(f"the program ended with {await self.ended()} before {name!r}")

    async def events(self) -> AsyncGenerator[list[str]]:
        """Every event until the program ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if words := line.decode().split():
                yield words

    async def ended(self) -> int:
        """Its exit code, when it has one."""
        return await self._process.wait()

    def cpu_seconds(self) -> float:
        """User and system time of the process and all its children so far."""
        return cpu_seconds(self._weighed)

    def resident_mb(self) -> float:
        """Memory in use now."""
        return sum(process.memory_info().rss for process in family(self._weighed)) / 2**20

    def peak_mb(self) -> float:
        """The most memory that each process ever used; what is in use now where nobody counted."""
        return sum(map(_peak_bytes, family(self._weighed))) / 2**20


@asynccontextmanager
async def started(
    program: Program, role: str, url: str, options: dict[str, Any]
) -> AsyncGenerator[Running]:
    """Run a program in a role; in the end it is killed with its children."""
    process = await asyncio.create_subprocess_exec(
        *program.command,
        role,
        url,
        json.dumps(options),
        cwd=program.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
        env={**os.environ, "NO_LOG_SUCCESS": "1", "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def ended(program: Program, role: str, url: str, options: dict[str, Any]) -> list[list[str]]:
    """Run a program to its end; its events.

    Raises:
        ProgramError: it failed.
    """
    async with started(program, role, url, options) as running:
        events = [words async for words in running.events()]
        if code := await running.ended():
            raise ProgramError(f"{' '.join(program.command)} {role} ended with {code}")
        return events


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process and of all its children, also of those that ended."""
    ended_children = process.cpu_times()
    total = ended_children.children_user + ended_children.children_system
    return total + sum(map(own_cpu_seconds, family(process)))


def own_cpu_seconds(process: psutil.Process) -> float:
    """Of one process; nothing if it has ended since it was listed, as some of a server do."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return max(float(times.user + times.system), _cpu_seconds_of_threads(process.pid))


def _cpu_seconds_of_threads(pid: int) -> float:
    """Of those that live, to the nanosecond, where Linux counts; the others count in hundredths.

    Those of a sketch that takes 0.15 s for 100,000 jobs are an error of a seventh.
    """
    total = 0
    for counts in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):
            total += int(counts.read_text().split()[0])
    return total / 1e9


def family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _peak_bytes(process: psutil.Process) -> int:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return int(process.memory_info().rss)
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
