"""OpenTelemetry spans and metrics; needs the extra `opentelemetry`, and an SDK of your choice."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import msgspec

from graphile_worker.errors import MissingDependencyError
from graphile_worker.hooks.events import (
    AfterJobRun,
    JobComplete,
    JobFail,
    JobInterrupted,
    JobLost,
    JobPermanentlyFail,
    JobSnoozed,
    JobStart,
)
from graphile_worker.hooks.registry import HookRegistry
from graphile_worker.jobs.job import Job
from graphile_worker.jobs.new_job import NewJob
from graphile_worker.payloads.reserved_keys import with_trace
from graphile_worker.payloads.shapes import is_list
from graphile_worker.queries.watch_queue import QueueReading
from graphile_worker.telemetry.queue_watch import QueueWatch, Seen

try:
    from opentelemetry import context, metrics, trace
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from opentelemetry.trace import (
        Link,
        Span,
        SpanContext,
        SpanKind,
        Status,
        StatusCode,
        TraceFlags,
        TracerProvider,
    )
except ImportError as error:
    raise MissingDependencyError("the OpenTelemetry plugin", "opentelemetry") from error

SYSTEM: Final = "graphile-worker"
"""`messaging.system`, as the Rust worker has it."""
MOST_LINKS: Final = 16
"""Of a batch that came from many traces."""

_OUTCOMES: Final[dict[Any, str]] = {
    JobComplete: "completed",
    JobFail: "failed",
    JobPermanentlyFail: "permanently_failed",
    JobInterrupted: "interrupted",
    JobSnoozed: "snoozed",
    JobLost: "lost",
}
_FAILED: Final = {"failed", "permanently_failed"}


class OpenTelemetry:
    """A plugin that traces and measures the adding and the running of jobs.

    Adding makes a PRODUCER span, running a CONSUMER span in a trace of its own, inside which the
    handler runs. With `propagate`, the two are linked: the payload carries the producer's span in
    the key `_trace`, as the Rust worker writes and reads it. Handlers never see it.

    Args:
        tracer_provider: default: the global one.
        meter_provider: default: the global one.
        propagate: whether payloads carry traces. Off by default, for they are changed: Node.js
            handlers see the key.
        watch: shows how the queue stands, as metrics; None: no such metrics.

    Raises:
        MissingDependencyError: at the import of this module: the extra is not installed.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        propagate: bool = False,
        watch: QueueWatch | None = None,
    ) -> None:
        self._tracer = trace.get_tracer("graphile_worker", tracer_provider=tracer_provider)
        self._metrics = _Metrics(meter_provider, watch)
        self._propagate = propagate
        self._watch = watch
        self._running: dict[tuple[str, int], tuple[Span, int]] = {}

    def register(self, hooks: HookRegistry) -> None:
        """Listen to jobs that run, and stand around jobs that are added."""
        hooks.around_adding.append(self._adding)
        hooks.on(JobStart, self._started)
        hooks.on(AfterJobRun, self._ran)
        for kind, outcome in _OUTCOMES.items():
            hooks.on(kind, partial(self._ended, outcome))
        if self._watch is not None:
            self._watch.register(hooks)

    @contextmanager
    def _adding(self, operation: str, jobs: Sequence[NewJob]) -> Generator[Sequence[NewJob]]:
        tasks = {job.identifier for job in jobs}
        attributes: dict[str, str | int] = {
            "messaging.system": SYSTEM,
            "messaging.operation.name": operation,
            "messaging.operation.type": "send",
        }
        name = operation
        if len(tasks) == 1:
            attributes["messaging.destination.name"] = jobs[0].identifier
            name = f"{operation} {jobs[0].identifier}"
        if operation == "add_jobs":
            attributes["messaging.batch.message_count"] = len(jobs)
        with self._tracer.start_as_current_span(
            name, kind=SpanKind.PRODUCER, attributes=attributes
        ) as span:
            yield self._traced(jobs, span.get_span_context())
        for job in jobs:
            self._metrics.sent(job.identifier, operation)

    def _traced(self, jobs: Sequence[NewJob], span: SpanContext) -> Sequence[NewJob]:
        if not self._propagate or not span.is_valid:
            return jobs
        value = trace_value(span)
        return [NewJob(job.identifier, with_trace(job.payload, value), job.spec) for job in jobs]

    def _started(self, event: JobStart) -> None:
        """In the job's own context: the handler finds the span as the current one."""
        job = event.job
        attributes: dict[str, str | int] = {
            "messaging.system": SYSTEM,
            "messaging.operation.name": "run_job",
            "messaging.operation.type": "process",
            "messaging.destination.name": job.task_identifier,
            "messaging.message.id": str(job.id),
            "messaging.client.id": event.worker_id,
            "graphile_worker.job.attempt": job.attempts,
            "graphile_worker.job.max_attempts": job.max_attempts,
            "graphile_worker.job.priority": job.priority,
        }
        began = time.time_ns()
        span = self._tracer.start_span(
            f"run_job {job.task_identifier}",
            context=context.Context(),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=[Link(remote) for remote in traces_of(job.payload)],
            start_time=began,
        )
        self._running[event.worker_id, job.id] = span, began
        # Never detached: the context is that of the job's asyncio task, and ends with it.
        context.attach(trace.set_span_in_context(span))
        self._metrics.started(job)

    def _ran(self, event: AfterJobRun) -> None:
        started = self._running.get((event.worker_id, event.job.id))
        if started is not None and isinstance(event.result, Exception):
            started[0].record_exception(event.result)
            started[0].set_attribute("error.type", type(event.result).__qualname__)

    def _ended(self, outcome: str, event: Any) -> None:
        job, duration = event.job, getattr(event, "duration", None)
        started = self._running.pop((event.worker_id, job.id), None)
        if started is None:
            return  # it never ran: a hook decided before
        span, began = started
        span.set_attribute("graphile_worker.job.outcome", outcome)
        if outcome in _FAILED:
            span.set_status(Status(StatusCode.ERROR, event.error))
        ended = None if duration is None else began + int(duration.total_seconds() * 1e9)
        span.end(end_time=ended)
        self._metrics.ended(job, outcome, None if duration is None else duration.total_seconds())


class _Metrics:
    """The instruments, by the conventions for messaging, and ours."""

    def __init__(self, provider: MeterProvider | None, watch: QueueWatch | None) -> None:
        meter = metrics.get_meter("graphile_worker", meter_provider=provider)
        self._sent = meter.create_counter(
            "messaging.client.sent.messages", "{message}", "Jobs that were added."
        )
        self._consumed = meter.create_counter(
            "messaging.client.consumed.messages", "{message}", "Runs of jobs that began."
        )
        self._duration = meter.create_histogram(
            "messaging.process.duration", "s", "How long handlers ran."
        )
        self._wait = meter.create_histogram(
            "graphile_worker.wait.duration", "s", "How long jobs were due before their claim."
        )
        self._active = meter.create_up_down_counter(
            "graphile_worker.active_jobs", "{job}", "Jobs that run now."
        )
        self._queues: dict[str, QueueReading] = {}
        if watch is not None:
            watch.subscribe(self._saw)
            meter.create_observable_gauge(
                "graphile_worker.jobs", [self._jobs], "{job}", "Jobs in the table, by state."
            )
            meter.create_observable_gauge(
                "graphile_worker.oldest_ready_age", [self._age], "s", "Of the first ready job."
            )

    def sent(self, task: str, operation: str) -> None:
        self._sent.add(1, _attributes(task, operation))

    def started(self, job: Job) -> None:
        attributes = _attributes(job.task_identifier, "run_job")
        self._consumed.add(1, attributes)
        self._active.add(1, attributes)
        if job.locked_at is not None:
            waited = (job.locked_at - job.run_at).total_seconds()
            self._wait.record(max(0.0, waited), attributes)

    def ended(self, job: Job, outcome: str, duration: float | None) -> None:
        attributes = _attributes(job.task_identifier, "run_job")
        self._active.add(-1, attributes)
        if duration is not None:
            self._duration.record(duration, {**attributes, "graphile_worker.job.outcome": outcome})

    def _saw(self, seen: Seen) -> None:
        if seen.queue is not None:
            self._queues[seen.schema] = seen.queue
        elif not seen.watched_here:
            self._queues.pop(seen.schema, None)

    def _jobs(self, _options: CallbackOptions) -> Iterable[Observation]:
        # Asked in a thread of the exporter.
        for schema, queue in tuple(self._queues.items()):
            for state in ("ready", "scheduled", "locked", "failed"):
                yield Observation(getattr(queue, state), {"schema": schema, "state": state})

    def _age(self, _options: CallbackOptions) -> Iterable[Observation]:
        for schema, queue in tuple(self._queues.items()):
            yield Observation(queue.oldest_ready, {"schema": schema})


def _attributes(task: str, operation: str) -> dict[str, str]:
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.destination.name": task,
    }


def trace_value(span: SpanContext) -> bytes:
    """The value of `_trace` for a span, as JSON."""
    return msgspec.json.encode(
        {
            "flags": int(span.trace_flags),
            "trace_id": trace.format_trace_id(span.trace_id),
            "span_id": trace.format_span_id(span.span_id),
        }
    )


def traces_of(payload: Any) -> list[SpanContext]:
    """The spans that a payload came from: one, or those of a batch's items, each once."""
    found: dict[tuple[int, int], SpanContext] = {}
    for item in payload if is_list(payload) else [payload]:
        span = _trace_of(item)
        if span is not None and len(found) < MOST_LINKS:
            found.setdefault((span.trace_id, span.span_id), span)
    return list(found.values())


def _trace_of(item: Any) -> SpanContext | None:
    """The span in one object; None where there is none, or what is there makes no sense."""
    match item:
        case {"_trace": {"flags": int(flags), "trace_id": str(trace_id), "span_id": str(span_id)}}:
            pass
        case _:
            return None
    if len(trace_id) != 32 or len(span_id) != 16 or not 0 <= flags <= 255:  # noqa: PLR2004
        return None
    try:
        span = SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(flags)
        )
    except ValueError:
        return None
    return span if span.is_valid else None
