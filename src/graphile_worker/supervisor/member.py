"""A process that is supervised: its line to the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from graphile_worker.errors import ConfigurationError
from graphile_worker.hooks.events import JobStart
from graphile_worker.hooks.registry import registry_of
from graphile_worker.supervisor.messages import (
    LARGEST,
    VARIABLE,
    Hello,
    Message,
    Order,
    Report,
    encode,
)
from graphile_worker.supervisor.policy import SECONDS_BEYOND_GRACE
from graphile_worker.worker.exporter import add_exporter, exporter_of
from graphile_worker.worker.http_server import Exporter
from graphile_worker.worker.options import WorkerOptions
from graphile_worker.worker.settings import seconds
from graphile_worker.worker.worker import Worker

logger = logging.getLogger(__name__)

_ONE_EACH: Final = "embedded:?temporary"
_UNTIL_READY: Final = 0.02
_REPORTS: Final = 0.5
"""Seconds between reports."""


class Member:
    """What the supervisor is told, and what it orders.

    It ends this process in order when the supervisor is gone, however that ended; and at once when
    that takes longer than it may, because a handler blocks the event loop, say.

    Args:
        number: of its place.
        connection_fd: the socket, datagrams in both directions.
        lifeline_fd: a pipe on which nothing is ever sent; it ends with the supervisor.
    """

    def __init__(self, number: int, connection_fd: int, lifeline_fd: int) -> None:
        self.number = number
        self._socket = socket.socket(fileno=connection_fd)
        self._socket.setblocking(False)  # noqa: FBT003 (its name says what is set)
        for fd in (connection_fd, lifeline_fd):
            os.set_inheritable(fd, False)  # noqa: FBT003 (the same)
        self._patience = SECONDS_BEYOND_GRACE
        self._jobs = 0
        self._exporter: Exporter | None = None
        self._lock = threading.Lock()
        self._supervisor_is_gone = False
        self._drain: Callable[[], None] | None = None
        threading.Thread(
            target=self._watch, args=(lifeline_fd,), name="lifeline", daemon=True
        ).start()

    @classmethod
    def from_environment(cls) -> Member | None:
        """The line of this process, if it is supervised; what it starts does not inherit it."""
        said = os.environ.pop(VARIABLE, None)
        return None if said is None else cls(*map(int, said.split(":")))

    @contextmanager
    def obeying(self, drain: Callable[[], None], abort: Callable[[], None]) -> Generator[None]:
        """Inside, orders of the supervisor, and its end, are carried out on the event loop."""
        loop = asyncio.get_running_loop()
        actions = {Order.DRAIN.value: drain, Order.ABORT.value: abort}

        def receive() -> None:
            with contextlib.suppress(OSError):
                while action := actions.get(self._socket.recv(LARGEST)):
                    action()

        def drain_from_thread() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: we are ending
                loop.call_soon_threadsafe(drain)

        loop.add_reader(self._socket, receive)
        with self._lock:
            self._drain = drain_from_thread
            if self._supervisor_is_gone:
                drain_from_thread()
        try:
            yield
        finally:
            loop.remove_reader(self._socket)

    def fitted(self, options: WorkerOptions, *, count_jobs: bool) -> WorkerOptions:
        """Tell the supervisor what it has to know, and leave to it what is its part.

        Args:
            options: of the worker.
            count_jobs: whether the number of jobs matters.

        Raises:
            ConfigurationError: each process would have a database of its own.
        """
        if options.database_url == _ONE_EACH:
            raise ConfigurationError(
                f"{_ONE_EACH} gives each process a database of its own; name a folder for all: "
                "embedded:///folder?temporary"
            )
        grace = seconds(options.shutdown_config().grace_period)
        self._patience = grace + SECONDS_BEYOND_GRACE
        self._send(Hello(options.listen, options.listen_beyond_loopback, grace))
        registry = registry_of(options.hooks, options.plugins)
        add_exporter(registry, options)
        self._exporter = exporter_of(registry)
        if count_jobs:
            registry.on(JobStart, self._count)
        return dataclasses.replace(options, hooks=registry, plugins=(), listen=None)

    @asynccontextmanager
    async def reporting(self, worker: Worker) -> AsyncGenerator[None]:
        """Inside, the supervisor is told how the worker is doing."""
        reports = asyncio.ensure_future(self._report_on(worker))
        try:
            yield
        finally:
            reports.cancel()
            await asyncio.wait([reports])

    async def _report_on(self, worker: Worker) -> None:
        while True:
            health = worker.health()
            if self._exporter is not None:
                self._exporter.observe(health)
            shown = json.loads(json.dumps(dataclasses.asdict(health), default=_plain))
            self._send(Report(health.is_ready, self._jobs, memory_in_use(), shown))
            await asyncio.sleep(_REPORTS if health.is_ready else _UNTIL_READY)

    def _count(self, _event: JobStart) -> None:
        self._jobs += 1

    def _send(self, message: Message) -> None:
        # A supervisor that is stopped, or gone, misses it; the next report says the same.
        with contextlib.suppress(OSError):
            self._socket.send(encode(message))

    def _watch(self, lifeline_fd: int) -> None:
        """In a thread, since the event loop may be blocked, or not there yet."""
        os.read(lifeline_fd, 1)
        with self._lock:
            self._supervisor_is_gone = True
            if self._drain is None:
                os._exit(1)  # still importing; there is nothing to hand back
            self._drain()
        logger.warning("the supervisor is gone: finishing running jobs, taking no more")
        time.sleep(self._patience)
        _kill_this_group()


def memory_in_use() -> int:
    """Bytes of memory that this process holds; where only the most so far is known, that."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        import resource  # noqa: PLC0415 (not everywhere where a single process works)

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def _kill_this_group() -> None:
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _plain(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else str(value)
