"""Metrics, read by Prometheus' own parser."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families
from support.command_line import environment
from support.running import running, sql, until

from graphile_worker import (
    BeforeJobRun,
    ConfigurationError,
    HookRegistry,
    HookResult,
    JobSpec,
    PermanentFailure,
    Snooze,
    WorkerContext,
    WorkerOptions,
    task,
)
from graphile_worker.telemetry.prometheus import Prometheus
from graphile_worker.telemetry.queue_watch import QueueWatch, Seen

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@task
async def act(payload: str) -> None:
    match payload:
        case "fail":
            raise ValueError
        case "give up":
            raise PermanentFailure("no")
        case "snooze":
            raise Snooze(60)
        case _:
            pass


def samples(text: bytes | str) -> Samples:
    text = text if isinstance(text, str) else text.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((f"graphile_worker_{name}", frozenset(labels.items())))


async def test_jobs_are_counted_by_task_and_outcome(gw_database: str) -> None:
    prometheus = Prometheus(watch=False)
    options = WorkerOptions(database_url=gw_database, tasks=[act], plugins=[prometheus])
    async with options.init() as worker:
        utils = worker.create_utils()
        payloads = ["well", "well", "fail", "give up", "snooze"]
        await utils.add_jobs(act, payloads, JobSpec())
        await worker.run_once()
    found = samples(prometheus.render())
    for outcome, count in {
        "completed": 2,
        "failed": 1,
        "permanently_failed": 1,
        "snoozed": 1,
    }.items():
        assert value(found, "jobs_total", task="act", outcome=outcome) == count
    assert value(found, "job_duration_seconds_count", task="act") == 5
    assert value(found, "job_duration_seconds_bucket", task="act", le="3600.0") == 5
    assert value(found, "job_wait_seconds_count", task="act") == 5
    assert value(found, "jobs_running") == 0


async def test_queues_are_never_labels(gw_database: str) -> None:
    prometheus = Prometheus(watch=False)
    options = WorkerOptions(database_url=gw_database, tasks=[act], plugins=[prometheus])
    async with options.init() as worker:
        await worker.create_utils().add_job(act, "well", JobSpec(queue_name="user-4711"))
        await worker.run_once()
    assert b"user-4711" not in prometheus.render()


async def test_running_jobs_are_seen_while_they_run(gw_database: str) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    @task(payload=None)
    async def wait() -> None:
        started.set()
        await go.wait()

    prometheus = Prometheus(watch=False)
    async with running(gw_database, tasks=[wait], plugins=[prometheus]) as worker:
        await worker.create_utils().add_job(wait)
        await asyncio.wait_for(started.wait(), 15)
        assert value(samples(prometheus.render()), "jobs_running") == 1
        go.set()


async def test_a_skipped_job_is_counted_and_never_ran(gw_database: str) -> None:
    hooks, prometheus = HookRegistry(), Prometheus(watch=False)
    hooks.on(BeforeJobRun, lambda _: HookResult.skip())
    options = WorkerOptions(
        database_url=gw_database, tasks=[act], hooks=hooks, plugins=[prometheus]
    )
    async with options.init() as worker:
        await worker.create_utils().add_job(act, "well")
        await worker.run_once()
    found = samples(prometheus.render())
    assert value(found, "jobs_total", task="act", outcome="completed") == 1
    assert value(found, "job_duration_seconds_count", task="act") is None
    assert value(found, "jobs_running") == 0


async def test_the_queue_is_read_once_an_interval(gw_database: str) -> None:
    prometheus = Prometheus(watch=QueueWatch(interval=0.1))
    async with running(gw_database, tasks=[act], plugins=[prometheus]), sql(gw_database) as db:
        await db.execute("""
            select graphile_worker.add_job('unknown', run_at => now() - interval '90 seconds');
            select graphile_worker.add_job('unknown', run_at => now() + interval '1 hour');
            select graphile_worker.add_job('unknown');
            update graphile_worker._private_jobs set attempts = max_attempts where id = 3;
        """)

        def by_state() -> list[float | None]:
            found = samples(prometheus.render())
            states = ("ready", "scheduled", "locked", "failed")
            return [
                value(found, "queue_jobs", schema="graphile_worker", state=state)
                for state in states
            ]

        async def seen() -> bool:
            return by_state() == [1, 1, 0, 1]

        await until(seen)
        age = value(
            samples(prometheus.render()), "queue_oldest_ready_seconds", schema="graphile_worker"
        )
        assert age is not None
        assert 90 <= age < 300


async def test_of_two_workers_one_shows_the_queue_and_the_other_takes_over(
    gw_database: str,
) -> None:
    first, second = (Prometheus(watch=QueueWatch(interval=0.1)) for _ in range(2))

    def shows(prometheus: Prometheus) -> bool:
        found = samples(prometheus.render())
        return value(found, "queue_jobs", schema="graphile_worker", state="ready") is not None

    async def does(prometheus: Prometheus) -> bool:
        return shows(prometheus)

    looks: list[Any] = []
    second._watch.subscribe(looks.append)  # type: ignore[union-attr]
    async with running(gw_database, tasks=[act], plugins=[second]) as other:
        await until(lambda: does(second))
        async with running(gw_database, tasks=[act], plugins=[first]):
            await until(lambda: at_least(looks, 4))
            assert not shows(first)
            other.request_shutdown()
            await until(lambda: does(first))


async def test_one_plugin_for_two_workers_shows_the_queue_whoever_of_them_looked_last(
    gw_database: str,
) -> None:
    prometheus = Prometheus(watch=QueueWatch(interval=0.1))
    shown: list[bool] = []

    def shows() -> bool:
        found = samples(prometheus.render())
        return value(found, "queue_jobs", schema="graphile_worker", state="ready") is not None

    async def shown_at_all() -> bool:
        return shows()

    def look(seen: Seen) -> None:
        if seen.queue is None:
            shown.append(shows())

    prometheus._watch.subscribe(look)  # type: ignore[union-attr]
    async with running(gw_database, tasks=[act], plugins=[prometheus]):
        await until(shown_at_all)
        async with running(gw_database, tasks=[act], plugins=[prometheus]):
            await until(lambda: at_least(shown, 3))
    assert all(shown)


async def test_jobs_with_one_id_in_two_schemas_are_two(gw_database: str) -> None:
    started: list[int] = []
    go = asyncio.Event()

    @task(payload=None)
    async def wait(ctx: WorkerContext) -> None:
        started.append(ctx.job.id)
        await go.wait()

    prometheus = Prometheus(watch=False)
    options: dict[str, Any] = {"tasks": [wait], "plugins": [prometheus]}
    async with (
        running(gw_database, schema="first", **options) as first,
        running(gw_database, schema="second", **options) as second,
    ):
        for worker in (first, second):
            await worker.create_utils().add_job(wait)
        await until(lambda: at_least(started, 2))
        assert started == [1, 1]
        assert value(samples(prometheus.render()), "jobs_running") == 2
        go.set()
    found = samples(prometheus.render())
    assert value(found, "jobs_running") == 0
    assert value(found, "job_duration_seconds_count", task="wait") == 2


async def test_schemas_of_one_name_in_two_databases_are_told_apart_by_two_plugins(
    gw_database: str, empty_database: str
) -> None:
    here, there = (Prometheus(watch=QueueWatch(interval=0.1)) for _ in range(2))
    async with (
        running(gw_database, tasks=[act], plugins=[here]) as worker,
        running(empty_database, tasks=[act], plugins=[there]),
    ):
        await worker.create_utils().add_job(act, "later", JobSpec(run_at=timedelta(hours=1)))
        await until(lambda: shows_scheduled(here, 1))
        await until(lambda: shows_scheduled(there, 0))


async def shows_scheduled(prometheus: Prometheus, jobs: int) -> bool:
    labels = {"schema": "graphile_worker", "state": "scheduled"}
    return value(samples(prometheus.render()), "queue_jobs", **labels) == jobs


async def at_least(things: list[Any], count: int) -> bool:
    return len(things) >= count


async def test_the_users_own_metrics_are_on_the_same_page() -> None:
    mails = Counter("test_mails_sent", "Mails that a handler sent.")
    mails.inc(3)
    found = samples(Prometheus().render())
    assert found["test_mails_sent_total", frozenset()] == 3
    assert value(found, "jobs_running") == 0


def test_one_registry_takes_one_of_them() -> None:
    registry = CollectorRegistry()
    Prometheus(registry=registry)
    with pytest.raises(ConfigurationError, match="give both workers the same plugin object"):
        Prometheus(registry=registry)


async def test_how_the_worker_is_doing_is_taken_over() -> None:
    from datetime import timedelta
    from types import SimpleNamespace

    prometheus = Prometheus()
    prometheus.observe(
        SimpleNamespace(connected=True, listening=False, slots=8, loop_lag=timedelta(seconds=2))
    )
    found = samples(prometheus.render())
    assert value(found, "connected") == 1
    assert value(found, "listening") == 0
    assert value(found, "slots") == 8
    assert value(found, "loop_lag_seconds") == 2


PROGRAM = """
import asyncio, sys
from graphile_worker import WorkerOptions, task
from graphile_worker.telemetry.prometheus import Prometheus

@task(payload=None)
async def work(): ...

async def main():
    prometheus = Prometheus(watch=False)
    options = WorkerOptions(database_url=sys.argv[1], tasks=[work], plugins=[prometheus])
    async with options.init() as worker:
        await worker.create_utils().add_jobs(work, [None] * 5)
        await worker.run_once()
    sys.stdout.buffer.write(prometheus.render())

asyncio.run(main())
"""


async def test_processes_with_one_folder_are_one(gw_database: str, tmp_path: Any) -> None:
    shared = environment({"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)})
    command = [sys.executable, "-c", PROGRAM, gw_database]

    def run() -> bytes:
        return subprocess.run(command, env=shared, check=True, capture_output=True).stdout

    texts = [await asyncio.to_thread(run) for _ in range(2)]
    counts = [
        value(samples(text), "jobs_total", task="work", outcome="completed") for text in texts
    ]
    assert counts == [5, 10], "the second one sees both"


def test_without_the_extra_the_import_names_it() -> None:
    program = """
import sys
sys.modules["prometheus_client"] = None
from graphile_worker import MissingDependencyError, WorkerOptions
try:
    import graphile_worker.telemetry.prometheus
except MissingDependencyError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "graphile-worker[prometheus]" in ended.stdout
