"""One run of a program for a job."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Final, cast

from graphile_worker.errors import GraphileWorkerError
from graphile_worker.executables.warden import Warden
from graphile_worker.jobs.job import Job
from graphile_worker.tasks.context import WorkerContext

LONGEST_LINE: Final = 16 * 1024
"""Bytes of output in one record of the log; longer lines are several."""
LONGEST_TAIL: Final = 4 * 1024
"""Bytes of what it printed last on standard error, kept for `last_error`."""
SECONDS_TO_END: Final = 0.5
"""From SIGTERM to SIGKILL for a program whose job is cancelled; a worker does not wait longer."""
_SECONDS_OF_REST: Final = 1.0
"""How long the output may take to be read once the program has ended: it may have left others
behind that keep it open."""


class ProgramFailedError(GraphileWorkerError):
    """A program ended with an exit code other than 0, was killed, or could not be started."""


async def run_program(program: Path, ctx: WorkerContext, warden: Warden) -> None:
    """Run a program for a job, and wait for its end.

    Args:
        program: what to execute.
        ctx: of the job.
        warden: kills the program if this process dies.

    Cancel safety: a cancelled run ends the program and its process group, first with SIGTERM.

    Raises:
        ProgramFailedError: it did not end with exit code 0; with what it printed last on standard
            error.
    """
    try:
        transport, run = await _start(program, ctx, warden)
    except OSError as error:
        raise ProgramFailedError(f"cannot start {program}: {error.strerror}") from error
    try:
        _send(transport, ctx.job)
        await run.exited
        run.guard.close()
        await asyncio.wait([run.closed], timeout=_SECONDS_OF_REST)
    except asyncio.CancelledError:
        await _end(transport, run)
        raise
    finally:
        run.guard.close()
        transport.close()
    _judge(transport.get_returncode(), run.tail)


def job_environment(job: Job) -> dict[str, str]:
    """What a program is told of its job besides the payload."""
    about = {
        "PAYLOAD_FORMAT": "json",
        "TASK_IDENTIFIER": job.task_identifier,
        "JOB_ID": str(job.id),
        "JOB_KEY": job.key,
        "JOB_ATTEMPTS": str(job.attempts),
        "JOB_MAX_ATTEMPTS": str(job.max_attempts),
        "JOB_PRIORITY": str(job.priority),
        "JOB_RUN_AT": job.run_at.astimezone(UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
    }
    return {f"GRAPHILE_WORKER_{name}": value for name, value in about.items() if value is not None}


async def _start(
    program: Path, ctx: WorkerContext, warden: Warden
) -> tuple[asyncio.SubprocessTransport, _Run]:
    """The program, in a process group of its own; ended again where this is cancelled meanwhile.

    asyncio would then kill the program alone, and leave what it has started by that time.
    """
    loop = asyncio.get_running_loop()
    starting = asyncio.ensure_future(
        loop.subprocess_exec(
            lambda: _Run(ctx, warden),
            program,
            env={**os.environ, **job_environment(ctx.job)},
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            transport, run = await starting
            await _end(transport, run)
            run.guard.close()
            transport.close()
        raise


def _send(transport: asyncio.SubprocessTransport, job: Job) -> None:
    """The payload, and the end; a program that does not read it is none the worse."""
    stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
    stdin.write(json.dumps({"payload": job.payload}).encode())
    stdin.close()


async def _end(transport: asyncio.SubprocessTransport, run: _Run) -> None:
    group = transport.get_pid()
    try:
        if not run.exited.done():
            _signal(group, signal.SIGTERM)
            await asyncio.wait([run.exited], timeout=SECONDS_TO_END)
    finally:
        # Also for those it started, which may not care about SIGTERM.
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _judge(code: int | None, tail: bytes) -> None:
    if code == 0:
        return
    if code is None:
        how = "its end was not seen"
    elif code > 0:
        how = f"exit code {code}"
    else:
        how = f"killed by {_name(-code)}"
    said = tail.decode(errors="replace").strip()
    raise ProgramFailedError(f"{how}: {said}" if said else how)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class _Run(asyncio.SubprocessProtocol):
    """Takes in what the program prints, and notices its end; guarded before it prints anything."""

    def __init__(self, ctx: WorkerContext, warden: Warden) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        """When nothing more can be printed."""
        self.guard = contextlib.ExitStack()
        """While it is open, the program is killed with this process."""
        self._warden = warden
        self.tail = b""
        self._lines = {1: _Lines(ctx.logger.info), 2: _Lines(ctx.logger.error)}
        self._open = {1, 2}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        group = cast("asyncio.SubprocessTransport", transport).get_pid()
        self.guard.enter_context(self._warden.guarding(group))

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        data = cast("bytes", data)
        if fd == 2:  # noqa: PLR2004 (standard error)
            self.tail = (self.tail + data)[-LONGEST_TAIL:]
        self._lines[fd].take(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        del exc
        if fd in self._open:
            self._lines[fd].finish()
            self._open.discard(fd)
        if not self._open and not self.closed.done():
            self.closed.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)


class _Lines:
    """Output as it comes, line by line into the log."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._rest = b""

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._rest) >= LONGEST_LINE:
            self._tell(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]

    def finish(self) -> None:
        if self._rest:
            self._tell(self._rest)
            self._rest = b""

    def _tell(self, line: bytes) -> None:
        for start in range(0, len(line) or 1, LONGEST_LINE):
            text = line[start : start + LONGEST_LINE].decode(errors="replace")
            self._log("%s", text.rstrip("\r"))
