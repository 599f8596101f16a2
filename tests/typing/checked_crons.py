"""What a type checker says about recurring jobs; never run. See `test_typing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, assert_type

from graphile_worker import (
    Cron,
    CronJobKeyMode,
    Crontab,
    CrontabFill,
    Weekday,
    WorkerContext,
    WorkerOptions,
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


@dataclass
class Report:
    IDENTIFIER: ClassVar[str] = "report"
    days: int = 7

    async def run(self, ctx: WorkerContext) -> None: ...


elsewhere = task_ref("elsewhere", Digest)

assert_type(Cron.daily_at(send_digest, 8, 0), Cron[Digest])
assert_type(Cron.daily_at(elsewhere, 8, 0).payload(Digest(1)), Cron[Digest])
assert_type(Cron.every_minute(clean), Cron[None])
assert_type(Cron.weekly_on(Report, Weekday.MONDAY, 8, 0), Cron[Report])
assert_type(Cron.every_minute(clean).build(), Crontab)
assert_type(parse_crontab(""), list[Crontab])
Cron.hourly_at(send_digest, 5).payload(Digest(1)).fill(CrontabFill(w=1, d=2)).queue("q")
Cron.hourly_at(clean, 5).job_key("k").job_key_mode(CronJobKeyMode.REPLACE).timezone("Asia/Gaza")
Cron.hourly_at(Report, 5).payload(Report(days=1))
WorkerOptions(crons=[Cron.every_minute(clean), *parse_crontab(""), ""])
WorkerOptions(crons="").with_cron(Cron.every_minute(clean)).with_crons(["", ""])

Cron.hourly_at(send_digest, 5).payload(5)  # type: ignore[arg-type]
Cron.hourly_at(send_digest, 5).payload({"account_id": 1})  # type: ignore[arg-type]
Cron.hourly_at(elsewhere, 5).payload(Report())  # type: ignore[arg-type]
Cron.hourly_at(Report, 5).payload(Digest(1))  # type: ignore[arg-type]
Cron.hourly_at(clean, 5).payload(5)  # type: ignore[arg-type]
Cron.hourly_at("clean", 5)  # type: ignore[arg-type]
Cron.weekly_on(clean, 1, 8, 0)  # type: ignore[arg-type]
Cron.every_minute(clean).fill(5)  # type: ignore[arg-type]
WorkerOptions(crons=[clean])  # type: ignore[list-item]
