"""Tables of the documentation against the code they describe."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from typing import Any

import click
import pytest
from prometheus_client import CollectorRegistry
from support.doc_blocks import ROOT, table_below
from support.recorder import ALL
from support.running import sql

from graphile_worker import (
    JobKeyMode,
    JobSpec,
    LocalQueueConfig,
    RefetchDelayConfig,
    WorkerOptions,
    WorkerRecoveryConfig,
    WorkerShutdownConfig,
    WorkerUtils,
)
from graphile_worker.cli.commands import COMMANDS, commands
from graphile_worker.cli.job_json import job_json
from graphile_worker.cli.ndjson import FIELDS
from graphile_worker.cli.workers import workers_of
from graphile_worker.cron.option_text import OPTIONS
from graphile_worker.database.schema import Schema
from graphile_worker.doctor.examine import examine
from graphile_worker.drivers.connect import connect
from graphile_worker.hooks.events import InterceptorEvent, ObserverEvent
from graphile_worker.queries.watch_queue import QueueReading
from graphile_worker.telemetry.prometheus import Prometheus
from graphile_worker.telemetry.queue_watch import Seen, Thresholds, problems
from graphile_worker.worker.http_server import LARGEST_REQUEST, LONGEST_REQUEST, MOST_REQUESTS
from graphile_worker.worker.job_events import IN_A_HURRY

DOCS = ROOT / "docs"


def names_in(rows: list[list[str]]) -> list[str]:
    return [cell.strip("`") for cell, *_ in rows]


def test_every_field_of_a_job_spec_is_told() -> None:
    rows = table_below(DOCS / "adding-jobs.md", "## When and how a job runs")
    assert sorted(names_in(rows)) == sorted(field.name for field in dataclasses.fields(JobSpec))


def test_the_connections_of_a_worker_are_told() -> None:
    rows = table_below(DOCS / "operations" / "deployment.md", "## Pool and concurrency")
    [taken], [left] = (
        [many for of, many in rows if start in of] for start in ("a worker takes", "are left")
    )
    assert 20 - WorkerOptions(max_pg_conn=20).pool_size == int(taken)
    assert left == f"`max_pg_conn` - {taken}"
    by_transaction = WorkerOptions(max_pg_conn=20, claim_mode="transaction")
    assert (20 - by_transaction.pool_size, WorkerOptions(max_pg_conn=5).pool_size) == (8, 1)


async def test_the_table_of_job_keys(gw_database: str) -> None:
    """All that the table says of old jobs, done to old jobs."""
    heading = "### What happens to the job with that key"
    states = {
        "waiting, not tried yet": "attempts = 0",
        "waiting for another attempt": "attempts = 1, last_error = 'no'",
        "running": "attempts = 1, locked_by = 'somebody', locked_at = now()",
        "failed for good": "attempts = max_attempts",
    }
    told = {
        (state, mode): cell
        for state, *cells in table_below(DOCS / "adding-jobs.md", heading)
        for mode, cell in zip(JobKeyMode, cells, strict=True)
    }
    assert {state for state, _ in told} == set(states)
    seen = {}
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        for state, mode in told:
            key = f"{state} {mode}"
            old = await utils.add_raw_job("task", "old", JobSpec(job_key=key, run_at=timedelta(1)))
            await connection.execute(
                f"update graphile_worker._private_jobs set {states[state]} where id = {old.id}"
            )
            await utils.add_raw_job("task", "new", JobSpec(job_key=key, job_key_mode=mode))
            rows = await utils.list_jobs(search=key)
            [now] = [job for job in rows if job.key == key]
            left = await utils.get_job(old.id)
            assert left is not None
            if now.id != old.id:
                assert (left.key, left.attempts) == (None, left.max_attempts)
                seen[state, mode] = "a new job is added"
            elif now.payload == "old":
                seen[state, mode] = "left as it is"
            else:
                assert (now.attempts, now.last_error) == (0, None)
                kept = now.run_at == old.run_at
                seen[state, mode] = "changed, keeps its run_at" if kept else "changed"
    assert seen == told


def default_of(field: dataclasses.Field[Any]) -> str:
    """As the documentation writes it."""
    value = field.default
    if value is dataclasses.MISSING:
        return "logical CPUs"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return f"`{value!r}`".replace("'", '"')


@pytest.mark.parametrize(
    ("page", "heading", "options"),
    [
        ("running-workers.md", "## Options", WorkerOptions),
        ("running-workers.md", "## Shutdown", WorkerShutdownConfig),
        ("running-workers.md", "## The local queue", LocalQueueConfig),
        ("running-workers.md", "### The refetch delay", RefetchDelayConfig),
        ("recovery.md", "## Options", WorkerRecoveryConfig),
    ],
)
def test_every_option_of_a_worker_is_told_with_its_default(
    page: str, heading: str, options: type
) -> None:
    rows = table_below(DOCS / page, heading)
    told = {name: row[1] for name, row in zip(names_in(rows), rows, strict=True)}
    fields = {field.name: default_of(field) for field in dataclasses.fields(options)}
    assert told == fields
    assert list(told) == list(fields), "in the order of the code"


def test_the_section_of_each_command_tells_all_of_its_options() -> None:
    page = DOCS / "command-line.md"
    context = click.Context(commands, **commands.context_settings)
    shared = options_of(commands.get_params(context))
    assert told_options(table_below(page, "## Options of every command")) == shared
    for name in COMMANDS:
        command = commands.get_command(context, name)
        assert command is not None
        own = options_of(command.get_params(click.Context(command))) - shared
        rows = table_below(page, f"## {name}") if own else []
        assert told_options(rows) == own, name


def test_the_section_of_crontab_tells_the_options_of_its_commands() -> None:
    page = DOCS / "command-line.md"
    group = commands.get_command(click.Context(commands), "crontab")
    assert isinstance(group, click.Group)
    shared = options_of(group.get_params(click.Context(group)))
    for name, command in group.commands.items():
        rows = table_below(page, f"### crontab {name}")
        own = options_of(command.get_params(click.Context(command))) - shared
        assert told_options(rows) == own, name


async def test_every_check_of_doctor_is_told(gw_database: str) -> None:
    database = await connect(gw_database)
    found = await examine(database, Schema("graphile_worker"))
    await database.aclose()
    rows = table_below(DOCS / "command-line.md", "### What doctor checks")
    assert names_in(rows) == [*(finding.check for finding in found), "shutdown"]


def test_every_check_is_in_the_checklist() -> None:
    rows = table_below(DOCS / "command-line.md", "### What doctor checks")
    checklist = table_below(DOCS / "operations" / "deployment.md", "## Checklist")
    found_by = {name for _, cell in checklist for name in re.findall(r"`(\w+)`", cell)}
    assert found_by == set(names_in(rows))


def test_every_option_of_a_crontab_line_is_told() -> None:
    rows = table_below(DOCS / "cron.md", "### Options of a line")
    told = [name.strip("`") for cell, *_ in rows for name in cell.split(", ")]
    assert sorted(told) == sorted(OPTIONS)


def test_every_command_has_a_section() -> None:
    text = (DOCS / "command-line.md").read_text()
    sections = re.findall(r"^## ([\w-]+)$", text, re.MULTILINE)
    assert [section for section in sections if section in COMMANDS] == list(COMMANDS)
    told = table_below(DOCS / "command-line.md", "# Command line")
    assert {name.strip("`"): text for name, text in told} == {
        name: text for name, (_, text) in COMMANDS.items()
    }


async def test_the_json_of_jobs_queues_and_workers_is_told(gw_database: str) -> None:
    page = DOCS / "command-line.md"
    async with WorkerUtils.connect(gw_database) as utils, sql(gw_database) as connection:
        job = await utils.add_raw_job("t", spec=JobSpec(queue_name="q"))
        [queue] = await utils.queues()
        await connection.execute("select graphile_worker.worker_heartbeat('w', null)")
        [worker] = await workers_of(utils, timedelta(minutes=5), show_all=True)
    assert names_in(table_below(page, "### A job")) == list(job_json(job))
    assert names_in(table_below(page, "### A queue")) == list(dataclasses.asdict(queue))
    assert names_in(table_below(page, "### A worker")) == list(worker)


def test_the_fields_of_a_line_are_told() -> None:
    rows = table_below(DOCS / "command-line.md", "### Many jobs")
    told = [name for cell, *_ in rows for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(told) == sorted(FIELDS)


def options_of(params: list[click.Parameter]) -> set[str]:
    options = [param for param in params if isinstance(param, click.Option)]
    return {name for option in options for name in [*option.opts, *option.secondary_opts]}


def told_options(rows: list[list[str]]) -> set[str]:
    return {name for cell, *_ in rows for name in re.findall(r"(?<![\w-])--?[a-z][\w-]*", cell)}


def test_every_event_is_told_with_its_fields() -> None:
    rows = table_below(DOCS / "hooks.md", "## Events")
    told = {
        name.strip("`"): (kind, re.findall(r"`(\w+)`", fields)) for name, kind, _, fields in rows
    }
    kinds = {
        event: "observer" if issubclass(event, ObserverEvent) else "interceptor" for event in ALL
    }
    assert told == {
        event.__name__: (kind, [field.name for field in dataclasses.fields(event)])
        for event, kind in kinds.items()
    }
    assert list(told) == [event.__name__ for event in ALL], "in the order of the code"


def test_every_interceptor_is_told_with_its_answers() -> None:
    rows = table_below(DOCS / "hooks.md", "## Interceptors")
    answers = {name.strip("`"): set(re.findall(r"`(\w+\.\w+)", text)) for name, text in rows}
    of_run = {"HookResult.CONTINUE", "HookResult.skip", "HookResult.fail"}
    schedule = {f"JobScheduleResult.{name}" for name in ("proceed", "skip", "fail")}
    recovery = {
        f"JobRecoveryResult.{name}"
        for name in ("DEFAULT", "SKIP", "FAIL_WITH_BACKOFF", "reschedule")
    }
    assert answers == {
        "BeforeJobRun": of_run,
        "AfterJobRun": of_run,
        "BeforeJobSchedule": schedule,
        "JobRecovery": recovery,
    }
    interceptors = {event.__name__ for event in ALL if issubclass(event, InterceptorEvent)}
    assert interceptors == set(answers)


def test_the_page_knows_how_long_hooks_have_in_a_hurry() -> None:
    assert f"have {IN_A_HURRY:g} s each" in (DOCS / "hooks.md").read_text()


def test_every_metric_is_told_with_its_labels() -> None:
    rows = table_below(DOCS / "observability.md", "## Prometheus")
    told = {
        name.strip("`"): (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _ in rows
    }
    registry = CollectorRegistry()
    Prometheus(registry=registry)
    metrics = dict.fromkeys(registry._collector_to_names)
    assert told == {
        metric._name + ("_total" if metric._type == "counter" else ""): (
            metric._type,
            metric._labelnames,
        )
        for metric in metrics
    }


def test_every_alert_is_told_with_its_threshold() -> None:
    rows = table_below(DOCS / "observability.md", "## Alerts")
    queue = QueueReading(
        ready=1, scheduled=0, locked=0, failed=0, oldest_ready=1e9, oldest_transaction=1e9
    )
    seen = Seen(schema="s", queue=queue, unserved=("t",), pool_wait=1e9)
    assert {name.strip("`") for name, *_ in rows} == set(problems(seen, Thresholds()))
    told = dict(re.match(r"`(\w+)`, (.*)", threshold).groups() for *_, threshold, _ in rows)
    assert told == {
        field.name: f"{minutes:g} min"
        if (minutes := field.default / timedelta(minutes=1)) >= 1
        else f"{field.default.total_seconds():g} s"
        for field in dataclasses.fields(Thresholds)
    }
    registry = CollectorRegistry()
    Prometheus(registry=registry)
    names = {metric._name for metric in registry._collector_to_names}
    assert {f"graphile_worker_{metric.strip('`')}" for *_, metric in rows} <= names


def test_the_page_knows_the_bounds_of_the_server() -> None:
    text = (DOCS / "observability.md").read_text().replace("\n", " ")
    assert f"up to {LARGEST_REQUEST // 1024} KiB, answered within {LONGEST_REQUEST:g} s" in text
    assert f"at most {MOST_REQUESTS} are answered at once" in text
