"""What `crons` of a worker may be."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from graphile_worker import Cron, CrontabError, WorkerOptions, parse_crontab, task, task_ref
from graphile_worker.cron.entries import built, doubts, parsed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@task(payload=None)
async def clean() -> None: ...


def test_entries_come_in_three_forms_and_in_any_number():
    [second, third] = parse_crontab("0 2 * * * second\n0 3 * * * third")
    crons = [Cron.daily_at(clean, 1, 0), "0 2 * * * second\n0 3 * * * third", "# none"]
    assert [entry.task for entry in built(parsed(crons))] == ["clean", "second", "third"]
    assert built(parsed([second, third])) == [second, third]
    assert built(parsed("0 2 * * * second")) == [second]
    assert built(parsed(second)) == [second]
    assert [c.task for c in built(parsed(Cron.daily_at(clean, 1, 0)))] == ["clean"]


def test_options_take_them_and_stay_values():
    options = WorkerOptions(tasks=[clean], crons="0 1 * * * clean")
    more = options.with_cron("0 2 * * * second").with_crons([Cron.daily_at(clean, 1, 0).id("own")])
    assert [entry.identifier for entry in options.crontabs()] == ["clean"]
    assert [entry.identifier for entry in more.crontabs()] == ["clean", "second", "own"]
    assert dataclasses.replace(more, concurrency=1).crontabs() == more.crontabs()


def test_a_mistake_is_an_error_of_the_options():
    with pytest.raises(CrontabError, match="line 2, column 1: minute: 61"):
        WorkerOptions(crons=["0 1 * * * clean\n61 * * * * clean"])
    with pytest.raises(CrontabError, match="two cron entries have the identifier 'clean'"):
        WorkerOptions(crons=[Cron.daily_at(clean, 1, 0), "0 1 * * * clean"])
    wrong: Any = 5
    with pytest.raises(CrontabError, match="expected a Cron, a Crontab or crontab text, got 5"):
        WorkerOptions(crons=[wrong])


async def test_a_payload_that_is_missing_is_found_before_the_worker_connects():
    needs = task_ref("needs", int)
    options = WorkerOptions(tasks=[clean], database_url="postgresql://nowhere.invalid/x")
    with pytest.raises(CrontabError, match="needs a payload"):
        await options.with_cron(Cron.daily_at(needs, 1, 0)).init()


def test_what_is_hardly_meant_is_told():
    text = "* * * * * clean\n* * * * * other ?fill=9999w\n0 0 30 2 * never"
    entries = parse_crontab(text)
    told = [(entry.task, doubt) for entry, doubt in doubts(entries, ["clean", "never"], NOW)]
    assert told == [
        ("other", "the task 'other' is not known here"),
        ("other", "fill=9999w is cut to 366 days"),
        ("never", "it will never run: no such day exists"),
    ]
    assert len(doubts(entries, None, NOW)) == 2, "who knows no tasks misses none"
