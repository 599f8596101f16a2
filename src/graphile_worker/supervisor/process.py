"""A supervisor's hold on one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from graphile_worker.supervisor.messages import (
    LARGEST,
    VARIABLE,
    Hello,
    Message,
    Order,
    Report,
    decode,
)
from graphile_worker.supervisor.policy import SECONDS_BEYOND_GRACE

logger = logging.getLogger(__name__)

_CAN_LOOK_BEFORE_REAPING: Final = hasattr(os, "waitid")


class SupervisedProcess:
    """One process, in a session of its own, from its start to its end.

    Args:
        number: of its place, which is also the prefix of its log.
        command: what to execute; nothing is forked without.
        environment: of the process.
        on_message: told of every message, on the event loop.

    Raises:
        OSError: it could not be started.
    """

    def __init__(
        self,
        number: int,
        command: Sequence[str],
        environment: Mapping[str, str],
        on_message: Callable[[SupervisedProcess, Message], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self.number = number
        self.started_at = time.monotonic()
        self.hello: Hello | None = None
        self.report: Report | None = None
        self.reported_at = self.started_at
        self.ready = asyncio.Event()
        """Set when it took jobs for the first time."""
        self.worn = asyncio.Event()
        """Set when it is to be replaced."""
        self.is_told_ready = False
        """Whether its supervisor has said so."""
        self.ending = False
        """Whether it was told to end."""
        self.exited: asyncio.Future[int] = self._loop.create_future()
        """The exit code; negative for a signal."""
        self._lock = threading.Lock()
        self._is_reaped = False
        self._popen = self._start(command, environment)
        self._loop.add_reader(self._socket, self._receive)
        threading.Thread(target=self._await_end, name=f"process {number}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id, and that of its session."""
        return self._popen.pid

    @property
    def lived(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.started_at

    def order(self, order: Order) -> None:
        """Tell it what to do; one that is not there any more does not mind."""
        self.ending = True
        if self.hello is None:
            # Still importing: it has no jobs, and listens to nobody.
            self._signal(signal.SIGTERM)
        with contextlib.suppress(OSError):
            self._socket.send(order.value)

    async def end(self, order: Order = Order.DRAIN) -> None:
        """Let it end in order, and kill it when it takes longer than it may.

        Cancel safety: it goes on ending, unwatched.
        """
        self.order(order)
        grace = self.hello.grace_seconds if self.hello and order is Order.DRAIN else 0.0
        await asyncio.wait([self.exited], timeout=grace + SECONDS_BEYOND_GRACE)
        if not self.exited.done():
            logger.error("process %d (pid %d) does not end; killing it", self.number, self.pid)
            self.kill()
            await asyncio.wait([self.exited])

    def kill(self) -> None:
        """End it at once, with what it started in its process group."""
        self.ending = True
        self._signal(signal.SIGKILL)

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)  # noqa: FBT003 (its name says what is set)
        lifeline, self._lifeline = os.pipe()
        fds = theirs.fileno(), lifeline
        try:
            return subprocess.Popen(  # noqa: S603 (our own program)
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=fds,
                env={**environment, VARIABLE: ":".join(map(str, (self.number, *fds)))},
                start_new_session=True,
            )
        except OSError:
            self._socket.close()
            os.close(self._lifeline)
            raise
        finally:
            theirs.close()
            os.close(lifeline)

    def _receive(self) -> None:
        while True:
            try:
                message = decode(self._socket.recv(LARGEST))
            except (OSError, msgspec.MsgspecError):
                return  # nothing more for now; or no message of ours
            self._take(message)

    def _take(self, message: Message) -> None:
        match message:
            case Hello():
                self.hello = message
            case Report():
                self.report, self.reported_at = message, time.monotonic()
                if message.is_ready:
                    self.ready.set()
        self._on_message(self, message)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError, PermissionError):
            if not self._is_reaped:
                os.killpg(self.pid, number)

    def _await_end(self) -> None:
        """In a thread: wait, and leave nothing of its process group behind."""
        if _CAN_LOOK_BEFORE_REAPING:
            # Until it is reaped its process group cannot be anybody else's. Where SIGCHLD is
            # ignored the system reaps, and nobody knows the exit code: `wait` calls it 0.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
                self._signal(signal.SIGKILL)
            with self._lock:
                self._is_reaped = True
                code = self._popen.wait()
        else:
            code = self._popen.wait()
            self._is_reaped = True
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._exit, code)

    def _exit(self, code: int) -> None:
        self._receive()  # its last words
        self._loop.remove_reader(self._socket)
        self._socket.close()
        os.close(self._lifeline)
        self.exited.set_result(code)
