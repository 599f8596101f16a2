"""Prometheus metrics of a worker; needs the extra `prometheus`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from graphile_worker.errors import ConfigurationError, MissingDependencyError
from graphile_worker.hooks.events import (
    JobComplete,
    JobFail,
    JobInterrupted,
    JobLost,
    JobPermanentlyFail,
    JobSnoozed,
    JobStart,
)
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.telemetry.queue_watch import QueueWatch, Seen

try:
    import prometheus_client as client
    from prometheus_client import multiprocess
except ImportError as error:
    raise MissingDependencyError("the Prometheus plugin", "prometheus") from error

CONTENT_TYPE: Final = client.CONTENT_TYPE_LATEST

DURATIONS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
"""Seconds: the upper ends of the buckets."""

_STATES: Final = ("ready", "scheduled", "locked", "failed")

_Mode: TypeAlias = Literal["livesum", "livemax", "livemin", "mostrecent"]

_OUTCOMES: Final[dict[Any, str]] = {
    JobComplete: "completed",
    JobFail: "failed",
    JobPermanentlyFail: "permanently_failed",
    JobInterrupted: "interrupted",
    JobSnoozed: "snoozed",
    JobLost: "lost",
}


class Prometheus:
    """A plugin that counts and measures jobs, by task, and shows how the queue stands.

    Labels are tasks, outcomes, states and schemas. Never queues: they may be one for each of your
    users.

    With `PROMETHEUS_MULTIPROC_DIR` set, before the interpreter starts, the metrics of all processes
    that share the folder are one, whichever of them is asked. One object may serve several workers
    of a process, also of different schemas.

    Args:
        registry: where the metrics are kept; default: one of their own, which `render` joins with
            `prometheus_client.REGISTRY`.
        buckets: of the histograms, in seconds.
        watch: looks at the queue, and warns; default: a `QueueWatch()`. False: no metrics of it.

    Raises:
        ConfigurationError: there are such metrics in the registry already.
        MissingDependencyError: at the import of this module: the extra is not installed.
    """

    content_type = CONTENT_TYPE

    def __init__(
        self,
        *,
        registry: client.CollectorRegistry | None = None,
        buckets: Iterable[float] = DURATIONS,
        watch: QueueWatch | Literal[False] | None = None,
    ) -> None:
        self._registry = registry or client.CollectorRegistry()
        try:
            self._jobs = _JobMetrics(self._registry, tuple(buckets))
            self._worker = _WorkerMetrics(self._registry)
        except ValueError as error:
            raise ConfigurationError(
                f"the metrics are in this registry already ({error}); give both workers the same "
                "plugin object"
            ) from error
        self._watch = QueueWatch() if watch is None else watch or None
        if self._watch is not None:
            self._watch.subscribe(self._worker.saw)

    def register(self, hooks: HookRegistry) -> None:
        """Listen to all that happens to jobs."""
        hooks.on(JobStart, self._jobs.started)
        for kind, outcome in _OUTCOMES.items():
            hooks.on(kind, partial(self._jobs.ended, outcome))
        if self._watch is not None:
            self._watch.register(hooks)

    def observe(self, health: Any) -> None:
        """Take over how a worker is doing (`worker.health()`), when somebody asks for metrics."""
        self._worker.observe(health)

    def render(self) -> bytes:
        """All metrics, in the text format."""
        if _is_shared():
            together = client.CollectorRegistry()
            multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call] # theirs
            return client.generate_latest(together)
        text = client.generate_latest(self._registry)
        if self._registry is not client.REGISTRY:
            text += client.generate_latest(client.REGISTRY)
        return text


def _is_shared() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ


class _JobMetrics:
    """What becomes of jobs, and how long that takes."""

    def __init__(self, registry: client.CollectorRegistry, buckets: tuple[float, ...]) -> None:
        self._outcomes = client.Counter(
            "graphile_worker_jobs_total",
            "Runs of jobs that have ended, by how.",
            ["task", "outcome"],
            registry=registry,
        )
        self._duration = client.Histogram(
            "graphile_worker_job_duration_seconds",
            "How long handlers ran.",
            ["task"],
            registry=registry,
            buckets=buckets,
        )
        self._wait = client.Histogram(
            "graphile_worker_job_wait_seconds",
            "How long jobs were due before they were claimed.",
            ["task"],
            registry=registry,
            buckets=buckets,
        )
        self._running = client.Gauge(
            "graphile_worker_jobs_running",
            "Jobs that run now.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        # Two schemas have jobs with the same id. All events of a run name the same worker.
        self._begun: set[tuple[str, int]] = set()

    def started(self, event: JobStart) -> None:
        job = event.job
        self._begun.add((event.worker_id, job.id))
        self._running.set(len(self._begun))
        if job.locked_at is not None:
            waited = (job.locked_at - job.run_at).total_seconds()
            self._wait.labels(job.task_identifier).observe(max(0.0, waited))

    def ended(self, outcome: str, event: Any) -> None:
        job = event.job
        self._outcomes.labels(job.task_identifier, outcome).inc()
        run = event.worker_id, job.id
        if run in self._begun:
            self._begun.discard(run)
            self._running.set(len(self._begun))
            duration = getattr(event, "duration", None)
            if duration is not None:
                self._duration.labels(job.task_identifier).observe(duration.total_seconds())


class _WorkerMetrics:
    """How the queue stands, and how the worker is doing."""

    def __init__(self, registry: client.CollectorRegistry) -> None:
        def gauge(name: str, text: str, mode: _Mode, *labels: str) -> client.Gauge:
            return client.Gauge(
                f"graphile_worker_{name}",
                text,
                labels,
                registry=registry,
                multiprocess_mode=mode,
            )

        self._jobs = gauge(
            "queue_jobs", "Jobs in the table, by state.", "mostrecent", "schema", "state"
        )
        self._oldest_ready = gauge(
            "queue_oldest_ready_seconds",
            "How long the first of the ready jobs has been due.",
            "mostrecent",
            "schema",
        )
        self._oldest_transaction = gauge(
            "oldest_transaction_seconds",
            "How long the transaction is open that holds back vacuum.",
            "mostrecent",
            "schema",
        )
        self._unserved = gauge(
            "unserved_tasks",
            "Tasks with due jobs that no running worker knows.",
            "mostrecent",
            "schema",
        )
        self._pool_wait = gauge(
            "pool_wait_seconds", "How long a connection took to be had.", "livemax"
        )
        self._of_health = {
            "connected": gauge("connected", "1: the last claim was answered.", "livemin"),
            "listening": gauge("listening", "1: notifications arrive.", "livemin"),
            "slots": gauge("slots", "How many jobs may run at once.", "livesum"),
            "loop_lag": gauge("loop_lag_seconds", "By how much the event loop is late.", "livemax"),
        }

        self._shown: set[str] = set()

    def saw(self, seen: Seen) -> None:
        self._pool_wait.set(seen.pool_wait)
        if seen.queue is None:
            if not seen.watched_here and not _is_shared():
                self._clear(seen.schema)
            return
        self._shown.add(seen.schema)
        for state in _STATES:
            self._jobs.labels(seen.schema, state).set(getattr(seen.queue, state))
        self._oldest_ready.labels(seen.schema).set(seen.queue.oldest_ready)
        self._oldest_transaction.labels(seen.schema).set(seen.queue.oldest_transaction)
        self._unserved.labels(seen.schema).set(len(seen.unserved))

    def _clear(self, schema: str) -> None:
        """Another process shows them now: two would be added up.

        Where processes share their metrics the most recent value is shown, and none can be cleared.
        """
        if schema not in self._shown:
            return
        self._shown.discard(schema)
        for state in _STATES:
            self._jobs.remove(schema, state)
        for gauge in (self._oldest_ready, self._oldest_transaction, self._unserved):
            gauge.remove(schema)

    def observe(self, health: Any) -> None:
        for name, gauge in self._of_health.items():
            value = getattr(health, name, None)
            if value is not None:
                gauge.set(value.total_seconds() if isinstance(value, timedelta) else value)
