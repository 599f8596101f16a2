"""The supervisor: from the first process to the last."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphile_worker.errors import ConfigurationError
from graphile_worker.supervisor.messages import Hello, Message, Order, Report
from graphile_worker.supervisor.pages import (
    MergedMetrics,
    ProcessesHealth,
    environment_for,
    health_of,
    merged_metrics,
    shared_metrics,
)
from graphile_worker.supervisor.place import Place
from graphile_worker.supervisor.policy import SECONDS_BEYOND_GRACE, Limits
from graphile_worker.supervisor.process import SupervisedProcess
from graphile_worker.supervisor.sources import Sources, changes
from graphile_worker.worker.http_server import Pages, serving
from graphile_worker.worker.listen_address import ListenAddress
from graphile_worker.worker.process_handle import how_it_ended
from graphile_worker.worker.signals import shutdown_on_signals

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to supervise."""

    command: Sequence[str]
    """Starts one process, which makes itself known by `member`."""
    processes: int = 1
    limits: Limits = field(default_factory=Limits)
    sources: Sources | None = None
    """Start all processes again when these change; None: never."""


async def supervise(plan: Plan) -> int:
    """Run the processes until a signal; SIGINT and SIGTERM are passed on to them.

    Returns:
        The exit code: 0 when all ended in order after a signal.

    Raises:
        ConfigurationError: the address for probes cannot be had.
    """
    with shared_metrics() as folder:
        return await _Supervisor(plan, folder).run()


class _Supervisor:
    def __init__(self, plan: Plan, folder: str | None) -> None:
        self._plan = plan
        self._folder = folder
        self._metrics: MergedMetrics | None = None
        self._alive: set[SupervisedProcess] = set()
        self._stopping = asyncio.Event()
        self._proved = asyncio.Event()
        """Set when a process was ready: the others will be too."""
        self._all_ended = asyncio.Event()
        self._code = 0
        self._failure: ConfigurationError | None = None
        self._group = asyncio.TaskGroup()
        self._serving: asyncio.Task[None] | None = None
        self._places = [self._place(number) for number in range(1, plan.processes + 1)]

    async def run(self) -> int:
        with shutdown_on_signals(self._stopping.set, self._abort):
            async with self._group as group:
                services = [group.create_task(self._places[0].run(), name="place 1")]
                if self._plan.sources is not None:
                    services.append(group.create_task(self._reload(self._plan.sources)))
                services.append(group.create_task(self._run_others()))
                await self._stopping.wait()
                await self._end_all()
                self._all_ended.set()
                for service in services:
                    service.cancel()
        if self._failure is not None:
            raise self._failure
        return self._code

    def _place(self, number: int) -> Place:
        return Place(
            number,
            start=self._start,
            stopping=self._stopping,
            retire=self._retire,
            on_failed_start=self._failed_start,
            waits_for_changes=self._plan.sources is not None,
        )

    async def _run_others(self) -> None:
        """One process proves that it can be done, before the others try."""
        await self._proved.wait()
        async with asyncio.TaskGroup() as group:
            for place in self._places[1:]:
                group.create_task(place.run(), name=f"place {place.number}")

    # -- processes -------------------------------------------------------------------------------

    def _start(self, number: int) -> SupervisedProcess:
        environment = {**os.environ, **environment_for(self._folder)}
        process = SupervisedProcess(number, self._plan.command, environment, self._heard)
        self._alive.add(process)
        process.exited.add_done_callback(lambda _: self._ended(process))
        return process

    def _retire(self, process: SupervisedProcess) -> None:
        self._group.create_task(process.end(), name=f"end of {process.pid}")

    def _ended(self, process: SupervisedProcess) -> None:
        self._alive.discard(process)
        if self._metrics is not None:
            self._metrics.forget([process.pid])
        code = process.exited.result()
        died_early = process.hello is None and code == -signal.SIGTERM
        if process.ending and code and not died_early:
            how = how_it_ended(code)
            logger.error("process %d (pid %d) %s while ending", process.number, process.pid, how)
            if self._stopping.is_set():
                self._code = self._code or 1

    def _heard(self, process: SupervisedProcess, message: Message) -> None:
        match message:
            case Hello():
                serves = self._serving is not None or self._stopping.is_set()
                if message.listen is not None and not serves:
                    self._serving = self._group.create_task(self._serve(message), name="pages")
            case Report():
                self._look_at(process, message)

    def _look_at(self, process: SupervisedProcess, report: Report) -> None:
        if report.is_ready and not process.is_told_ready:
            process.is_told_ready = True
            logger.info("process %d (pid %d) is ready", process.number, process.pid)
            if not self._proved.is_set():
                self._check_memory(report)
            self._proved.set()
        reached = self._plan.limits.reached(report)
        if reached and not process.worn.is_set() and not process.ending:
            logger.info("process %d (pid %d) is replaced: %s", process.number, process.pid, reached)
            process.worn.set()

    def _check_memory(self, report: Report) -> None:
        """A limit that is reached at once would replace one process after the other."""
        allowed = self._plan.limits.memory
        if allowed is not None and report.memory >= allowed:
            self._failure = ConfigurationError(
                f"a process holds {report.memory / 2**20:,.0f} MiB as soon as it is ready; "
                f"--max-memory-per-process must be more, got {allowed / 2**20:,.0f} MiB"
            )
            self._stopping.set()

    def _failed_start(self, process: SupervisedProcess) -> None:
        if self._plan.sources is not None:
            return
        if not self._proved.is_set() or all(place.is_hopeless for place in self._places):
            code = process.exited.result()
            told = (process.number, process.pid, how_it_ended(code))
            logger.error("giving up: process %d (pid %d) %s before it was ready", *told)
            self._code = code if code > 0 else 1
            self._stopping.set()

    # -- the end ---------------------------------------------------------------------------------

    async def _end_all(self) -> None:
        while self._alive:
            await asyncio.gather(*(process.end() for process in self._alive))

    def _abort(self) -> None:
        for process in self._alive:
            process.order(Order.ABORT)
        asyncio.get_running_loop().call_later(SECONDS_BEYOND_GRACE, self._kill)

    def _kill(self) -> None:
        for process in self._alive:
            process.kill()

    # -- beside ----------------------------------------------------------------------------------

    async def _reload(self, sources: Sources) -> None:
        async for changed in changes(sources):
            logger.info("changed, starting again: %s", ", ".join(map(os.path.relpath, changed)))
            for place in self._places:
                place.reload()

    async def _serve(self, hello: Hello) -> None:
        try:
            address = ListenAddress.parse(
                hello.listen or "", beyond_loopback=hello.listen_beyond_loopback
            )
            self._metrics = merged_metrics(self._folder)
            async with serving(address, Pages(self._health, self._metrics)):
                await self._all_ended.wait()
        except ConfigurationError as error:
            self._failure = error
            self._stopping.set()

    def _health(self) -> ProcessesHealth:
        if self._stopping.is_set():
            return ProcessesHealth((health_of(0, None),))
        return ProcessesHealth(
            tuple(health_of(place.number, place.process) for place in self._places)
        )
