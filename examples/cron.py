"""Recurring jobs; `python cron.py run` works on until Ctrl-C."""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from graphile_worker import Cron, CrontabFill, WorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


@dataclass
class Digest:
    account_id: int


@task
async def send_digest(payload: Digest, ctx: WorkerContext) -> None:
    print("digest of", payload.account_id, ctx.payload["_cron"])


OPTIONS = WorkerOptions(
    database_url=DATABASE_URL,
    tasks=[send_digest],
    crons=[
        Cron.daily_at(send_digest, 8, 0)
        .id("morning")
        .payload(Digest(42))
        .timezone("Europe/Paris")
        .fill(CrontabFill.hours(1)),  # also if no worker ran at eight, but one does at nine
        "* * * * * send_digest ?id=often {account_id: 7}",
    ],
)


async def main() -> None:
    async with OPTIONS.init() as worker:
        await worker.run()


if __name__ == "__main__":
    start = datetime(2026, 3, 28, tzinfo=UTC)
    for crontab in OPTIONS.crontabs():
        print(crontab)
        # The clocks of Paris are put forward on the 29th: eight o'clock comes an hour earlier.
        print(*(f"{run:%d %H:%M}" for run in islice(crontab.runs(start), 3)), sep=", ")
    if sys.argv[1:] == ["run"]:
        asyncio.run(main())
