"""A plugin with a say: it changes, skips and refuses jobs, when added and when they run."""

import asyncio
import os
from typing import Any

from graphile_worker import (
    BeforeJobRun,
    BeforeJobSchedule,
    HookRegistry,
    HookResult,
    JobScheduleFailed,
    JobScheduleResult,
    JobScheduleSkipped,
    Plugin,
    WorkerOptions,
    task,
)

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


class ValidationPlugin(Plugin):
    def __init__(self, closed_accounts: set[int]) -> None:
        self.closed_accounts = closed_accounts

    def register(self, hooks: HookRegistry) -> None:
        hooks.on(BeforeJobSchedule, self.before_adding)
        hooks.on(BeforeJobRun, self.before_running)

    def before_adding(self, event: BeforeJobSchedule) -> JobScheduleResult | None:
        """Plain, since sync clients call it too."""
        payload: dict[str, Any] = event.payload
        if "account" not in payload:
            return JobScheduleResult.fail("every job belongs to an account")
        if payload["account"] in self.closed_accounts:
            return JobScheduleResult.skip()
        return JobScheduleResult.proceed({"source": "web", **payload})

    async def before_running(self, event: BeforeJobRun) -> HookResult | None:
        """Asked again: an account may have been closed since."""
        if event.payload["account"] in self.closed_accounts:
            return HookResult.skip()
        if event.payload.get("dry_run"):
            return HookResult.fail("dry runs are not supported")
        return HookResult.CONTINUE  # as None would


@task
async def bill(payload: dict[str, Any]) -> None:
    print("billed:", payload)


async def main() -> None:
    validation = ValidationPlugin(closed_accounts={3})
    options = WorkerOptions(database_url=DATABASE_URL, tasks=[bill], plugins=[validation])
    async with options.init() as worker:
        utils = worker.create_utils()
        for payload in ({"amount": 5}, {"account": 3}):
            try:
                await utils.add_job(bill, payload)
            except (JobScheduleFailed, JobScheduleSkipped) as error:
                print(f"{type(error).__name__}: {error}")
        await utils.add_jobs(bill, [{"account": 1}, {"account": 2}, {"account": 3}])
        await utils.add_job(bill, {"account": 1, "dry_run": True})
        validation.closed_accounts.add(2)
        await worker.run_once()
        for left in await utils.list_jobs():
            print("refused:", left.last_error)


if __name__ == "__main__":
    asyncio.run(main())
