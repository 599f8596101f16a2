"""A plugin that logs every job: one line when it ends, whichever way."""

import asyncio
import logging
import os
import sys

from graphile_worker import (
    HookRegistry,
    JobComplete,
    JobFail,
    JobInterrupted,
    JobPermanentlyFail,
    JobSnoozed,
    Plugin,
    Snooze,
    WorkerOptions,
    task,
)

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")

logger = logging.getLogger("jobs")


class LoggingPlugin(Plugin):
    def register(self, hooks: HookRegistry) -> None:
        hooks.on(JobComplete, self.completed)
        hooks.on(JobFail, self.failed)
        hooks.on(JobPermanentlyFail, self.failed)
        hooks.on(JobSnoozed, self.snoozed)
        hooks.on(JobInterrupted, self.interrupted)

    def completed(self, event: JobComplete) -> None:
        logger.info("%s: done", event.job.task_identifier)

    def failed(self, event: JobFail | JobPermanentlyFail) -> None:
        final = isinstance(event, JobPermanentlyFail)
        job = event.job
        logger.log(
            logging.ERROR if final else logging.WARNING,
            "%s: failed (attempt %d of %d): %s",
            job.task_identifier,
            job.attempts,
            job.max_attempts,
            event.error,
        )

    def snoozed(self, event: JobSnoozed) -> None:
        logger.info("%s: again in %s", event.job.task_identifier, event.delay)

    def interrupted(self, event: JobInterrupted) -> None:
        logger.warning("%s: cut off, %s", event.job.task_identifier, event.reason.value)


@task
async def poll(payload: str) -> None:
    match payload:
        case "not yet":
            raise Snooze(90)
        case "broken":
            raise ConnectionError("nobody answers")
        case _:
            pass


async def main() -> None:
    logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("graphile_worker").setLevel(logging.ERROR)  # its own lines on failures
    options = WorkerOptions(database_url=DATABASE_URL, tasks=[poll], plugins=[LoggingPlugin()])
    async with options.init() as worker:
        await worker.create_utils().add_jobs(poll, ["ready", "not yet", "broken"])
        await worker.run_once()


if __name__ == "__main__":
    asyncio.run(main())
