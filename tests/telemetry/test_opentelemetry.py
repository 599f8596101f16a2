"""Spans and metrics, as the SDK's exporters in memory see them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from support.command_line import environment
from support.running import running, sql, until

from graphile_worker import (
    BeforeJobSchedule,
    HookRegistry,
    Snooze,
    WorkerOptions,
    WorkerUtils,
    batch_task,
    task,
)
from graphile_worker.telemetry.opentelemetry import OpenTelemetry, traces_of
from graphile_worker.telemetry.queue_watch import QueueWatch


class Telemetry:
    """A plugin, and what it exported."""

    def __init__(self, **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.plugin = OpenTelemetry(
            tracer_provider=self.provider,
            meter_provider=MeterProvider(metric_readers=[self._reader]),
            **options,
        )

    def spans(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.kind is kind]

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@dataclass
class Mail:
    to: str


seen: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


@task
async def send(payload: Mail) -> None:
    seen.append((payload, trace.get_current_span().get_span_context()))
    if payload.to == "nobody":
        raise ValueError("no such address")
    if payload.to == "later":
        raise Snooze(60)


@task
def in_thread(payload: Mail) -> None:
    seen.append((payload, trace.get_current_span().get_span_context()))


@task
async def take_any(payload: dict[str, Any]) -> None:
    seen.append(payload)


@batch_task
async def batch(items: list[Mail]) -> None:
    seen.append(items)


async def run(url: str, telemetry: Telemetry, *tasks: Any, add: Any) -> None:
    options = WorkerOptions(database_url=url, tasks=tasks, plugins=[telemetry.plugin])
    async with options.init() as worker:
        await add(worker.create_utils())
        await worker.run_once()


async def test_producer_and_consumer_are_linked(gw_database: str) -> None:
    telemetry = Telemetry(propagate=True)
    await run(gw_database, telemetry, send, add=lambda utils: utils.add_job(send, Mail("ada")))
    [producer] = telemetry.spans(SpanKind.PRODUCER)
    [consumer] = telemetry.spans(SpanKind.CONSUMER)
    assert (producer.name, consumer.name) == ("add_job send", "run_job send")
    assert producer.attributes == {
        "messaging.system": "graphile-worker",
        "messaging.operation.name": "add_job",
        "messaging.operation.type": "send",
        "messaging.destination.name": "send",
    }
    assert consumer.attributes is not None
    assert consumer.attributes["messaging.operation.name"] == "run_job"
    assert consumer.attributes["messaging.message.id"] == "1"
    assert consumer.attributes["graphile_worker.job.outcome"] == "completed"
    [link] = consumer.links
    made = producer.get_span_context()
    assert (link.context.trace_id, link.context.span_id) == (made.trace_id, made.span_id)
    assert consumer.parent is None, "a trace of its own"
    assert producer.end_time <= consumer.start_time <= consumer.end_time


@pytest.mark.parametrize("job_task", [send, in_thread])
async def test_the_handler_runs_inside_the_consumers_span(gw_database: str, job_task: Any) -> None:
    telemetry = Telemetry()
    with telemetry.provider.get_tracer("test").start_as_current_span("around the worker"):
        await run(
            gw_database,
            telemetry,
            job_task,
            add=lambda utils: utils.add_jobs(job_task, [Mail("ada"), Mail("bob")]),
        )
    consumers = telemetry.spans(SpanKind.CONSUMER)
    assert all(span.parent is None for span in consumers)
    assert {span.get_span_context().span_id for span in consumers} == {
        context.span_id for _, context in seen
    }
    assert len(seen) == 2


async def test_the_key_is_as_the_rust_worker_writes_it(gw_database: str) -> None:
    telemetry = Telemetry(propagate=True)
    hooks, asked = HookRegistry(), []
    hooks.add_plugin(telemetry.plugin)
    hooks.on(BeforeJobSchedule, lambda event: asked.append(event.payload))
    async with WorkerUtils.connect(gw_database, hooks=hooks) as utils:
        job = await utils.add_job(send, Mail("ada"))
        await utils.add_raw_job("send", {"to": "bob", "_trace": "old"})
        await utils.add_batch_job(batch, [Mail("ada"), Mail("bob")])
        await utils.add_raw_jobs([])
        await utils.add_raw_job("raw", "text")
        await utils.add_raw_job("raw", [1, {"a": 2}])
    async with sql(gw_database) as db:
        rows = await db.fetch("select payload from graphile_worker._private_jobs order by id")
    payloads = [json.loads(row["payload"]) for row in rows]
    spans = [span.get_span_context() for span in telemetry.spans(SpanKind.PRODUCER)]
    traces = [
        {
            "flags": int(span.trace_flags),
            "trace_id": trace.format_trace_id(span.trace_id),
            "span_id": trace.format_span_id(span.span_id),
        }
        for span in spans
    ]
    assert payloads == [
        {"to": "ada", "_trace": traces[0]},
        {"to": "bob", "_trace": traces[1]},
        [{"to": "ada", "_trace": traces[2]}, {"to": "bob", "_trace": traces[2]}],
        "text",
        [1, {"a": 2, "_trace": traces[4]}],
    ]
    assert job.payload == payloads[0], "the job that was returned is the one stored"
    assert asked[0] == {"to": "ada"}, "hooks do not see it"


async def test_handlers_never_see_it(gw_database: str) -> None:
    async def add(utils: WorkerUtils) -> None:
        await utils.add_job(send, Mail("ada"))
        await utils.add_job(take_any, {"a": 10**30})
        await utils.add_batch_job(batch, [Mail("bob")])

    await run(gw_database, Telemetry(propagate=True), send, take_any, batch, add=add)
    payloads = [found[0] if isinstance(found, tuple) else found for found in seen]
    assert sorted(map(repr, payloads)) == sorted(
        map(repr, [Mail("ada"), {"a": 10**30}, [Mail("bob")]])
    )


async def test_payloads_stay_as_they_are_unless_asked(gw_database: str) -> None:
    async with WorkerUtils.connect(gw_database, hooks=hooked(Telemetry())) as utils:
        assert (await utils.add_job(send, Mail("ada"))).payload == {"to": "ada"}


def hooked(telemetry: Telemetry) -> HookRegistry:
    hooks = HookRegistry()
    hooks.add_plugin(telemetry.plugin)
    return hooks


async def test_many_jobs_have_one_producer(gw_database: str) -> None:
    telemetry = Telemetry(propagate=True)
    async with WorkerUtils.connect(gw_database, hooks=hooked(telemetry)) as utils:
        jobs = await utils.add_jobs(send, [Mail("a"), Mail("b"), Mail("b")])
        await utils.add_jobs([send.job(Mail("c")), take_any.job({})])
    same, mixed = telemetry.spans(SpanKind.PRODUCER)
    assert (same.name, mixed.name) == ("add_jobs send", "add_jobs")
    assert same.attributes is not None
    assert same.attributes["messaging.batch.message_count"] == 3
    assert len({json.dumps(job.payload["_trace"]) for job in jobs}) == 1


async def test_a_failure_is_an_error_with_its_exception(gw_database: str) -> None:
    telemetry = Telemetry()
    await run(gw_database, telemetry, send, add=lambda utils: utils.add_job(send, Mail("nobody")))
    [span] = telemetry.spans(SpanKind.CONSUMER)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError: no such address"
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ValueError"
    assert span.attributes["graphile_worker.job.outcome"] == "failed"
    assert [event.name for event in span.events] == ["exception"]


async def test_an_add_that_fails_is_an_error_and_not_counted(gw_database: str) -> None:
    telemetry = Telemetry()
    async with WorkerUtils.connect(gw_database, hooks=hooked(telemetry)) as utils:
        async with sql(gw_database) as db:
            await db.execute("drop function graphile_worker.add_job cascade")
        with pytest.raises(Exception, match="add_job"):
            await utils.add_job(send, Mail("ada"))
    [span] = telemetry.spans(SpanKind.PRODUCER)
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.points("messaging.client.sent.messages") == []


def test_a_batch_is_linked_to_each_trace_it_came_from() -> None:
    def item(number: int) -> dict[str, Any]:
        return {"_trace": {"flags": 1, "trace_id": f"{number:032x}", "span_id": f"{number:016x}"}}

    assert [span.trace_id for span in traces_of([item(1), item(2), item(1), "x", {}])] == [1, 2]
    assert len(traces_of([item(number) for number in range(1, 100)])) == 16


@pytest.mark.parametrize(
    "value",
    [
        None,
        "00-1-2",
        {},
        {"flags": 1, "trace_id": "x" * 32, "span_id": "1" * 16},
        {"flags": 1, "trace_id": "0" * 32, "span_id": "1" * 16},
        {"flags": 1, "trace_id": "1" * 31, "span_id": "1" * 16},
        {"flags": 256, "trace_id": "1" * 32, "span_id": "1" * 16},
        {"flags": -1, "trace_id": "1" * 32, "span_id": "1" * 16},
        {"flags": "1", "trace_id": "1" * 32, "span_id": "1" * 16},
    ],
)
def test_what_is_no_trace_is_ignored(value: Any) -> None:
    assert traces_of({"_trace": value}) == []


async def test_one_plugin_for_two_schemas_shows_both_queues(gw_database: str) -> None:
    telemetry = Telemetry(watch=QueueWatch(interval=0.1))
    options: dict[str, Any] = {"tasks": [send], "plugins": [telemetry.plugin]}
    async with (
        running(gw_database, schema="first", **options),
        running(gw_database, schema="second", **options),
    ):

        async def both_shown() -> bool:
            points = telemetry.points("graphile_worker.oldest_ready_age")
            return {point.attributes["schema"] for point in points} == {"first", "second"}

        await until(both_shown)


async def test_the_instruments(gw_database: str) -> None:
    telemetry = Telemetry(watch=QueueWatch(interval=0.1))
    plugins = [telemetry.plugin]
    async with running(gw_database, tasks=[send], plugins=plugins) as worker:
        utils = worker.create_utils()
        await utils.add_jobs(send, [Mail("ada"), Mail("later"), Mail("nobody")])

        async def done() -> bool:
            points = telemetry.points("messaging.process.duration")
            return sum(point.count for point in points) == 3

        await until(done)

        async def scheduled() -> bool:
            points = telemetry.points("graphile_worker.jobs")
            return {point.attributes["state"]: point.value for point in points} == {
                "ready": 0,
                "scheduled": 2,
                "locked": 0,
                "failed": 0,
            }

        await until(scheduled)
    [sent] = telemetry.points("messaging.client.sent.messages")
    assert (sent.value, sent.attributes["messaging.destination.name"]) == (3, "send")
    [consumed] = telemetry.points("messaging.client.consumed.messages")
    assert consumed.value == 3
    [active] = telemetry.points("graphile_worker.active_jobs")
    assert active.value == 0
    [waited] = telemetry.points("graphile_worker.wait.duration")
    assert waited.count == 3
    outcomes = {
        point.attributes["graphile_worker.job.outcome"]
        for point in telemetry.points("messaging.process.duration")
    }
    assert outcomes == {"completed", "snoozed", "failed"}
    [age] = telemetry.points("graphile_worker.oldest_ready_age")
    assert age.value >= 0


async def test_without_an_sdk_nothing_happens(gw_database: str) -> None:
    plugin = OpenTelemetry(propagate=True)
    options = WorkerOptions(database_url=gw_database, tasks=[send], plugins=[plugin])
    async with options.init() as worker:
        job = await worker.create_utils().add_job(send, Mail("ada"))
        assert job.payload == {"to": "ada"}
        assert (await worker.run_once()).completed == 1


PRODUCER = """
import asyncio, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from graphile_worker import HookRegistry, WorkerUtils
from graphile_worker.telemetry.opentelemetry import OpenTelemetry

async def main():
    provider = TracerProvider()
    hooks = HookRegistry()
    hooks.add_plugin(OpenTelemetry(tracer_provider=provider, propagate=True))
    with provider.get_tracer("web").start_as_current_span("request") as span:
        async with WorkerUtils.connect(sys.argv[1], hooks=hooks) as utils:
            await utils.add_raw_job("send", {"to": "ada"})
        print(trace.format_trace_id(span.get_span_context().trace_id))

asyncio.run(main())
"""


async def test_a_trace_goes_from_one_process_to_another(gw_database: str) -> None:
    def produce() -> str:
        command = [sys.executable, "-c", PRODUCER, gw_database]
        ended = subprocess.run(command, env=environment({}), check=True, capture_output=True)
        return ended.stdout.decode().strip()

    trace_id = await asyncio.to_thread(produce)
    telemetry = Telemetry()
    options = WorkerOptions(database_url=gw_database, tasks=[send], plugins=[telemetry.plugin])
    async with options.init() as worker:
        await worker.run_once()
    [consumer] = telemetry.spans(SpanKind.CONSUMER)
    [link] = consumer.links
    assert trace.format_trace_id(link.context.trace_id) == trace_id
    assert link.context.is_remote
    [(payload, inside)] = seen
    assert payload == Mail("ada")
    assert inside == consumer.get_span_context()


def test_without_the_extra_the_import_names_it() -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None
from graphile_worker import MissingDependencyError
try:
    import graphile_worker.telemetry.opentelemetry
except MissingDependencyError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "graphile-worker[opentelemetry]" in ended.stdout
