"""A worker's hold on one process that runs its handlers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Final, cast

import msgspec

from graphile_worker.worker.process_protocol import (
    ANSWER_HEADER,
    LONGEST_ANSWER,
    Result,
    Started,
    decode_answer,
    encode_call,
)
from graphile_worker.worker.task_path import MARK_OF_CHILD, TaskPath

_PROGRAM: Final = f"""\
import json, sys
{MARK_OF_CHILD} = True
connection, lifeline, sys.path[:], sys.argv[:] = map(json.loads, sys.argv[1:])
from graphile_worker.worker.process_child import main
main(connection, lifeline)
"""
_SECONDS_TO_DIE: Final = 1.0
"""How long one end of the connection may be gone before the process is."""


class ProcessLost(Exception):  # noqa: N818 (an outcome, not shown to users)
    """The process ended, or broke off its connection, before it answered.

    Args:
        how: what happened, like `was killed by SIGSEGV`.
        started: whether it had begun with the call.
        code: its exit code as `subprocess` has it: negative for a signal.
    """

    def __init__(self, how: str, *, started: bool, code: int | None) -> None:
        super().__init__(how)
        self.how = how
        self.started = started
        self.code = code


class ProcessHandle:
    """One process: a fresh interpreter, in a session of its own, running `process_child`.

    A thread starts it and waits for its end, so that neither holds up the event loop, whichever
    loop that is. `kill` also ends the programs that a handler started.

    Args:
        on_exit: called on the event loop when the process has ended.

    Raises:
        RuntimeError: the system has no thread left for it.
    """

    def __init__(self, on_exit: Callable[[ProcessHandle], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_exit = on_exit
        self.exited: asyncio.Future[int | Exception] = self._loop.create_future()
        """The exit code; why not, when it could not even be started."""
        self._connection, theirs = socket.socketpair()
        self._connection.setblocking(False)  # noqa: FBT003 (its name says what is set)
        lifeline, self._lifeline = os.pipe()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._killed = False
        self.asking = False
        self._start_thread(theirs, lifeline)

    @property
    def killed(self) -> bool:
        """Whether it was told to end at once."""
        return self._killed

    async def ask(self, path: TaskPath, payload: str) -> Result:
        """Run one call there.

        Cancel safety: after a cancelled call the process is in the middle of it; kill it.

        Raises:
            ProcessLost: the process is gone, or as good as gone; it needs no `kill`.
        """
        self.asking, started = True, False
        try:
            for part in encode_call(path, payload):
                await self._loop.sock_sendall(self._connection, part)
            answer = await self._receive_answer()
            while isinstance(answer, Started):
                started = True
                answer = await self._receive_answer()
        except (EOFError, ConnectionError, msgspec.MsgspecError) as why:
            raise await self._lost(why, started=started) from None
        finally:
            self.asking = False
            self._close_when_exited()
        return answer

    def kill(self) -> None:
        """End it at once, with all that it started; idempotent."""
        with self._lock:
            self._killed = True
            self._kill_group()

    def finish(self) -> None:
        """Let it end: an idle process does at once, a busy one after its call."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    async def _receive_answer(self) -> Started | Result:
        (length,) = ANSWER_HEADER.unpack(await self._receive(ANSWER_HEADER.size))
        if length > LONGEST_ANSWER:
            raise msgspec.DecodeError(f"an answer of {length} bytes")
        return decode_answer(await self._receive(length))

    async def _receive(self, length: int) -> bytearray:
        data = bytearray()
        while len(data) < length:
            part = await self._loop.sock_recv(self._connection, length - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    async def _lost(self, why: Exception, *, started: bool) -> ProcessLost:
        """What became of a process whose connection ended."""
        await asyncio.wait({self.exited}, timeout=_SECONDS_TO_DIE)
        if not self.exited.done():
            self.kill()
            await asyncio.wait({self.exited})
            broken = "sent an answer that is none" if str(why) else "closed its connection"
            return ProcessLost(f"{broken} and was killed", started=started, code=None)
        end = self.exited.result()
        if isinstance(end, Exception):
            why_not = str(end) if isinstance(end, OSError) else repr(end)
            return ProcessLost(f"could not be started: {why_not}", started=started, code=None)
        return ProcessLost(how_it_ended(end), started=started, code=end)

    def _start_thread(self, theirs: socket.socket, lifeline: int) -> None:
        name, files = "graphile-worker-process", (theirs, lifeline)
        try:
            threading.Thread(target=self._live, args=files, name=name, daemon=True).start()
        except RuntimeError as error:
            for end in (self._connection, theirs):
                end.close()
            for pipe in (lifeline, self._lifeline):
                os.close(pipe)
            raise RuntimeError(
                f"{error}, to hold a process for its handler; raise the limit of the system or "
                "container (ulimit -u, pids)"
            ) from error

    def _live(self, theirs: socket.socket, lifeline: int) -> None:
        """The life of the thread that starts the process and waits for its end."""
        end: int | Exception
        try:
            process = self._spawn(theirs, lifeline)
        except Exception as error:  # noqa: BLE001 (whatever it is: somebody waits for `exited`)
            end = error
        else:
            with self._lock:
                self._process = process
                if self._killed:
                    self._kill_group()
            end = process.wait()
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._exit, end)

    def _spawn(self, theirs: socket.socket, lifeline: int) -> subprocess.Popen[bytes]:
        fds = theirs.fileno(), lifeline
        try:
            # As imports do, which pass over other entries; `json` would refuse a `Path`.
            path = [entry for entry in sys.path if isinstance(entry, str)]
            arguments = map(json.dumps, (*fds, path, [str(each) for each in sys.argv]))
            return subprocess.Popen(  # noqa: S603 (our own interpreter and program)
                [*interpreter(), "-c", _PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=fds,
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(lifeline)

    def _kill_group(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def _exit(self, end: int | Exception) -> None:
        self.exited.set_result(end)
        if self.asking:
            # The last answer may still be on its way. But where the handler forked, the fork keeps
            # the connection open, and its end would never come.
            self._loop.call_later(_SECONDS_TO_DIE, self._hang_up)
        self._close_when_exited()
        self._on_exit(self)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _close_when_exited(self) -> None:
        if self.exited.done() and not self.asking and self._connection.fileno() >= 0:
            self._connection.close()
            os.close(self._lifeline)


def interpreter() -> list[str]:
    """This interpreter, with the options that it was started with."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined] # noqa: SLF001 (as multiprocessing does)
    return [sys.executable, *cast("list[str]", flags)]


def how_it_ended(code: int) -> str:
    """An exit code as `subprocess` has it, in words: `was killed by SIGSEGV`."""
    if code >= 0:
        return f"died with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if code == -signal.SIGKILL else "")
