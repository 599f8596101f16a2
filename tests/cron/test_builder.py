"""The typed builder gives what the text gives, and refuses what the text refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from graphile_worker import (
    ConfigurationError,
    Cron,
    CronJobKeyMode,
    CrontabError,
    CrontabFill,
    JobKeyMode,
    JobSpec,
    PayloadError,
    Weekday,
    WorkerContext,
    batch_task,
    parse_crontab,
    task,
    task_ref,
)


@dataclass
class Digest:
    account_id: int


@task
async def send_digest(payload: Digest) -> None: ...


@task(payload=None)
async def clean() -> None: ...


@batch_task
async def notify(items: list[str]) -> None: ...


@dataclass
class Report:
    IDENTIFIER: ClassVar[str] = "report"
    days: int = 7

    async def run(self, ctx: WorkerContext) -> None: ...


@pytest.mark.parametrize(
    ("cron", "text"),
    [
        (Cron.every_minute(clean), "* * * * * clean"),
        (Cron.every_n_minutes(clean, 5), "*/5 * * * * clean"),
        (Cron.hourly_at(clean, 15), "15 * * * * clean"),
        (Cron.daily_at(clean, 8, 0), "0 8 * * * clean"),
        (Cron.weekly_on(clean, Weekday.MONDAY, 8, 30), "30 8 * * 1 clean"),
        (Cron.weekly_on(clean, Weekday.SUNDAY, 8, 30), "30 8 * * 7 clean"),
        (Cron.monthly_on(clean, 31, 8, 0), "0 8 31 * * clean"),
        (Cron.yearly_on(clean, 2, 29, 8, 0), "0 8 29 2 * clean"),
        (Cron.from_expression(clean, " */10 8-18 * * 1-5 "), "*/10 8-18 * * 1-5 clean"),
    ],
)
def test_when(cron: Cron[None], text: str):
    assert [cron.build()] == parse_crontab(text)
    assert parse_crontab(str(cron)) == [cron.build()]


def test_how():
    cron = (
        Cron.daily_at(send_digest, 8, 0)
        .id("morning")
        .fill(CrontabFill.hours(1))
        .payload(Digest(42))
        .queue("digest")
        .priority(-10)
        .max_attempts(5)
        .job_key("digest")
        .job_key_mode(CronJobKeyMode.PRESERVE_RUN_AT)
        .timezone("Europe/Paris")
    )
    text = (
        "0 8 * * * send_digest ?id=morning&fill=1h&queue=digest&priority=-10&max=5&job_key=digest"
        "&job_key_mode=preserve_run_at&tz=Europe/Paris {account_id: 42}"
    )
    assert [cron.build()] == parse_crontab(text)
    assert cron.identifier == cron.build().identifier == "morning"


def test_each_step_is_another_value():
    first = Cron.daily_at(send_digest, 8, 0).payload(Digest(1))
    second = first.queue("q")
    assert first.build().queue is None
    assert second.build().queue == "q"
    assert first.fill(timedelta(hours=1)) == first.fill(CrontabFill.hours(1))


def test_the_tasks_own_spec_holds_where_the_builder_says_nothing():
    spec = JobSpec(
        queue_name="own",
        max_attempts=3,
        priority=7,
        job_key="own",
        job_key_mode=JobKeyMode.PRESERVE_RUN_AT,
        flags=["gpu"],
        run_at=timedelta(hours=1),
    )
    reference = task_ref("elsewhere", dict[str, int], spec=spec)
    cron = Cron.daily_at(reference, 8, 0)
    [same] = parse_crontab(
        "0 8 * * * elsewhere ?queue=own&max=3&priority=7&jobKey=own&jobKeyMode=preserve_run_at"
        "&flags=gpu"
    )
    assert cron.build() == same
    changed = cron.queue("mine").priority(None).job_key("mine").build()
    assert (changed.queue, changed.max_attempts, changed.priority) == ("mine", 3, None)
    assert (changed.job_key, changed.job_key_mode) == ("mine", CronJobKeyMode.REPLACE), "a pair"
    assert cron.job_key(None).queue(None).build().queue is None
    [raw] = parse_crontab("0 8 * * * elsewhere")
    assert raw.queue is None, "a text says all"


def test_a_mode_that_crontabs_lack_has_to_be_replaced():
    spec = JobSpec(job_key="k", job_key_mode=JobKeyMode.UNSAFE_DEDUPE)
    cron = Cron.every_minute(task_ref("elsewhere", None, spec=spec))
    with pytest.raises(CrontabError, match="UNSAFE_DEDUPE, which a crontab does not know"):
        cron.build()
    assert cron.job_key_mode(CronJobKeyMode.REPLACE).build().job_key == "k"


def test_task_classes_recur_too():
    assert str(Cron.daily_at(Report, 8, 0).payload(Report(days=3))) == (
        '0 8 * * * report {"days":3}'
    )
    assert str(Cron.daily_at(Report, 8, 0)) == "0 8 * * * report", "all fields have defaults"


def test_a_payload_that_is_needed_is_missed():
    with pytest.raises(CrontabError, match=r"'send_digest' needs a payload.*'account_id'"):
        Cron.every_minute(send_digest).build()
    with pytest.raises(CrontabError, match="needs a payload"):
        Cron.every_minute(notify).build()


def test_a_payload_has_to_fit():
    wrong: Any = {"account_id": "x"}
    with pytest.raises(PayloadError):
        Cron.every_minute(send_digest).payload(wrong)
    with pytest.raises(CrontabError, match=r"must be an object in JSON, got \[\"a\"\]"):
        Cron.every_minute(notify).payload(["a"])


ANY: Any = clean


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cron.every_n_minutes(clean, 0), "n must be a whole number from 1 to 59, got 0"),
        (lambda: Cron.every_n_minutes(clean, 60), "n must be a whole number from 1 to 59, got 60"),
        (lambda: Cron.hourly_at(clean, 60), "minute must be a whole number from 0 to 59"),
        (lambda: Cron.daily_at(clean, 24, 0), "hour must be a whole number from 0 to 23, got 24"),
        (lambda: Cron.daily_at(ANY, True, 0), "hour must be a whole number"),
        (lambda: Cron.daily_at(ANY, "8", 0), "hour must be a whole number from 0 to 23, got '8'"),
        (lambda: Cron.weekly_on(clean, ANY, 8, 0), "weekday must be a Weekday"),
        (lambda: Cron.monthly_on(clean, 0, 8, 0), "day of month must be a whole number from 1"),
        (lambda: Cron.yearly_on(clean, 13, 1, 8, 0), "month must be a whole number from 1 to 12"),
        (lambda: Cron.from_expression(clean, "* * *"), "expected 5 time fields, got 3"),
        (lambda: Cron.from_expression(clean, "* 24 * * *"), "hour: 24 is out of range"),
        (lambda: Cron.every_minute(clean).id("a b"), "id must be made of"),
        (lambda: Cron.every_minute(clean).queue(""), "queue must be made of"),
        (lambda: Cron.every_minute(clean).priority(40_000), "priority must be a whole number"),
        (lambda: Cron.every_minute(clean).max_attempts(0), "max must be a whole number from 1"),
        (lambda: Cron.every_minute(clean).job_key(""), "jobKey must be"),
        (lambda: Cron.every_minute(clean).job_key_mode(ANY), "must be a CronJobKeyMode"),
        (lambda: Cron.every_minute(clean).timezone("Mars"), "unknown time zone 'Mars'"),
        (lambda: Cron.every_minute(clean).timezone(ANY), "must be an IANA name"),
        (lambda: Cron.every_minute(clean).fill(ANY), "must be a CrontabFill or a timedelta"),
        (lambda: Cron.every_minute(clean).fill(timedelta(-1)), "at least 0"),
        (lambda: Cron.every_minute(task_ref("a.b", None)), "the task identifier must be made of"),
    ],
)
def test_what_the_text_would_refuse_is_refused(make: Callable[[], object], message: str):
    with pytest.raises(CrontabError, match=message):
        make()


def test_what_is_no_task_is_refused():
    async def plain() -> None: ...

    for wrong in ("clean", plain, 5):
        thing: Any = wrong
        with pytest.raises(ConfigurationError, match="expected a task"):
            Cron.every_minute(thing)
