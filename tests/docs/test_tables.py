"""Tables of the documentation against the code they describe."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from typing import Any

import click
import pytest
from support.doc_blocks import ROOT, table_below
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

DOCS = ROOT / "docs"


def names_in(rows: list[list[str]]) -> list[str]:
    return [cell.strip("`") for cell, *_ in rows]


def test_every_field_of_a_job_spec_is_told() -> None:
    rows = table_below(DOCS / "adding-jobs.md", "## When and how a job runs")
    assert sorted(names_in(rows)) == sorted(field.name for field in dataclasses.fields(JobSpec))


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


def test_every_command_has_a_section() -> None:
    text = (DOCS / "command-line.md").read_text()
    sections = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert [section for section in sections if section in COMMANDS] == list(COMMANDS)
    told = table_below(DOCS / "command-line.md", "# Command line")
    assert {name.strip("`"): text for name, text in told} == {
        name: text for name, (_, text) in COMMANDS.items()
    }


def options_of(params: list[click.Parameter]) -> set[str]:
    return {name for param in params if isinstance(param, click.Option) for name in param.opts}


def told_options(rows: list[list[str]]) -> set[str]:
    return {name for cell, *_ in rows for name in re.findall(r"(?<![\w-])--?[a-z][\w-]*", cell)}
