"""Health and metrics of all processes together."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from graphile_worker.errors import ConfigurationError
from graphile_worker.supervisor.process import SupervisedProcess
from graphile_worker.worker.http_server import Exporter

STALE: Final = 5.0
"""Seconds without a report after which a process does not count as ready: it is stuck."""

_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessHealth:
    """How one process is doing, by its last report."""

    number: int
    pid: int | None
    is_ready: bool
    since_report: float | None
    """Seconds."""
    memory: int | None
    """Bytes."""
    worker: dict[str, Any] | None
    """`Worker.health()`."""


@dataclass(frozen=True, slots=True)
class ProcessesHealth:
    """How they all are doing."""

    processes: tuple[ProcessHealth, ...]

    @property
    def is_ready(self) -> bool:
        """Whether every one of them takes jobs."""
        return all(process.is_ready for process in self.processes)


def health_of(number: int, process: SupervisedProcess | None) -> ProcessHealth:
    """How the process in a place is doing."""
    report = None if process is None else process.report
    if process is None or report is None:
        return ProcessHealth(
            number=number,
            pid=None if process is None else process.pid,
            is_ready=False,
            since_report=None,
            memory=None,
            worker=None,
        )
    since = time.monotonic() - process.reported_at
    return ProcessHealth(
        number=number,
        pid=process.pid,
        is_ready=report.is_ready and since < STALE,
        since_report=round(since, 3),
        memory=report.memory,
        worker=report.health,
    )


@contextmanager
def shared_metrics() -> Generator[str | None]:
    """The folder through which processes share their metrics; one of the user's own is used.

    None where `prometheus_client` is not installed. A folder that is made here is removed.

    Raises:
        ConfigurationError: no folder can be made.
    """
    if importlib.util.find_spec("prometheus_client") is None:
        yield None
    elif own := os.environ.get(_VARIABLE):
        yield own
    else:
        folder = _made_folder()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _made_folder() -> str:
    try:
        return tempfile.mkdtemp(prefix="graphile-worker-metrics-")
    except OSError as error:
        raise ConfigurationError(
            f"no folder can be made for the metrics that processes share: {error}; mount a /tmp "
            f"that can be written, or name a folder in TMPDIR or {_VARIABLE}"
        ) from error


def environment_for(folder: str | None) -> dict[str, str]:
    """What a process needs to know to share its metrics."""
    return {} if folder is None else {_VARIABLE: folder}


def merged_metrics(folder: str | None) -> MergedMetrics | None:
    """What `/metrics` shows; None: there are none."""
    return None if folder is None else MergedMetrics(folder)


class MergedMetrics(Exporter):
    """The metrics of all processes that share a folder, also of those that have ended."""

    def __init__(self, folder: str) -> None:
        # Only for those who listen.
        from prometheus_client import CONTENT_TYPE_LATEST  # noqa: PLC0415

        self.content_type = CONTENT_TYPE_LATEST
        self._folder = folder

    def observe(self, health: Any) -> None:
        """Each process takes over its own."""

    def render(self) -> bytes:
        """All of them as text."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call] # theirs
        return generate_latest(registry)

    def forget(self, pids: Iterable[int]) -> None:
        """Count no longer what only living processes have, like jobs that run."""
        from prometheus_client import multiprocess  # noqa: PLC0415

        untyped: Any = multiprocess
        for pid in pids:
            untyped.mark_process_dead(pid, self._folder)
