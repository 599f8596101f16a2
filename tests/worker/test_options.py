"""Options that make no sense are refused before anything is connected."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from graphile_worker import (
    ConfigurationError,
    ConnectionLostError,
    DuplicateTaskError,
    WorkerOptions,
    WorkerShutdownConfig,
    task,
)


@task(payload=None)
async def work() -> None: ...


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("concurrency", 0, "concurrency must be at least 1, got 0"),
        ("concurrency", "8", "concurrency must be a whole number, got '8'"),
        ("concurrency", True, "whole number"),
        ("poll_interval", 0, "poll_interval must be more than 0 seconds"),
        ("poll_interval", -1, "poll_interval must be more than 0 seconds"),
        ("poll_interval", "1s", "timedelta or a number of seconds"),
        ("poll_interval", float("nan"), "timedelta or a number of seconds"),
        ("max_pg_conn", 4, "max_pg_conn must be at least 5, got 4"),
        ("schema", "", "schema must not be empty"),
        ("schema", "x" * 64, "63 bytes"),
        ("schema", "a\0b", "NUL"),
        ("forbidden_flags", "flag", "collection of strings"),
        ("thread_workers", 0, "thread_workers must be at least 1"),
        ("process_workers", 0, "process_workers must be at least 1"),
        ("shutdown_grace_period", -1, "grace_period must be at least 0"),
        ("extensions", [1, 2], "two extensions are of the type int"),
        ("wait_for_database", -1, "wait_for_database must be at least 0"),
        ("tasks", work, "tasks must be a list, even of one, got <FunctionTask 'work'>"),
        ("plugins", object(), "plugins must be a list, even of one, got <object object"),
    ],
)
def test_a_senseless_option_is_named(option: str, value: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        WorkerOptions(**{"tasks": [work], option: value})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_giving_a_thing_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="grace_period say the same thing twice"):
        WorkerOptions(shutdown=WorkerShutdownConfig(), shutdown_grace_period=1)
    with pytest.raises(ConfigurationError, match="not both"):
        WorkerOptions(database_url="postgresql://", database=object())


async def test_init_refuses_what_cannot_run() -> None:
    with pytest.raises(ConfigurationError, match="tasks is empty"):
        await WorkerOptions(database_url="postgresql:///x").init()
    with pytest.raises(ConfigurationError, match="no database"):
        await WorkerOptions(tasks=[work]).init()
    with pytest.raises(ConfigurationError, match="on str; what works: asyncpg Pool"):
        await WorkerOptions(tasks=[work], database="postgresql://").init()

    @task("work", payload=None)
    async def other() -> None: ...

    with pytest.raises(DuplicateTaskError, match="'work'"):
        await WorkerOptions(database_url="postgresql:///x", tasks=[work, other]).init()


async def test_what_is_not_opened_yet_says_how_it_is() -> None:
    opening: Any = WorkerOptions(database_url="postgresql:///x", tasks=[work]).init()
    with pytest.raises(AttributeError, match=r"no 'run_once': write `async with … as opened:`"):
        await opening.run_once()


def test_chained_methods_return_new_options() -> None:
    first = WorkerOptions(tasks=[work])
    second = first.add_forbidden_flag("a").add_forbidden_flag("b").add_extension(3).pg_pool(None)
    third = second.define_job(work).define_jobs([work]).define_batch_job(work)
    assert (first.forbidden_flags, second.forbidden_flags) == ((), ("a", "b"))
    assert second.extensions == (3,)
    assert third.tasks == (work,) * 4
    assert dataclasses.replace(first, concurrency=3).concurrency == 3


def test_durations_may_be_numbers_of_seconds() -> None:
    options = WorkerOptions(poll_interval=0.5, shutdown_grace_period=2)
    assert options.poll_interval == timedelta(milliseconds=500)
    assert options.shutdown_config().grace_period == timedelta(seconds=2)


async def test_a_database_that_is_away_fails_fast_or_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"postgresql://nobody@/none?host={tmp_path}"
    options = WorkerOptions(database_url=url, tasks=[work])
    with pytest.raises(ConnectionLostError, match="is PostgreSQL running there"):
        await options.init()
    assert "waiting for PostgreSQL" not in caplog.text
    with pytest.raises(ConnectionLostError):
        await dataclasses.replace(options, wait_for_database=0.3).init()
    assert "waiting for PostgreSQL" in caplog.text
