"""A plugin that counts: what the worker did, kept where other code can read it."""

import asyncio
import logging
import os

from graphile_worker import (
    HookRegistry,
    JobComplete,
    JobFail,
    JobPermanentlyFail,
    JobSpec,
    JobStart,
    Plugin,
    WorkerOptions,
    WorkerShutdown,
    WorkerStart,
    task,
)

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")

logger = logging.getLogger(__name__)


class MetricsPlugin(Plugin):
    def __init__(self) -> None:
        self.jobs_started = 0
        self.jobs_completed = 0
        self.jobs_failed = 0

    def register(self, hooks: HookRegistry) -> None:
        hooks.on(WorkerStart, self.worker_started)
        hooks.on(JobStart, self.started)
        hooks.on(JobComplete, self.completed)
        hooks.on(JobFail, self.failed)
        hooks.on(JobPermanentlyFail, self.failed_for_good)
        hooks.on(WorkerShutdown, self.worker_stops)

    # Plain functions: they cost least. They run on the event loop, so they must not wait for
    # anything; handlers that do are `async def`.

    def worker_started(self, event: WorkerStart) -> None:
        logger.info("worker %s started", event.worker_id)

    def started(self, _event: JobStart) -> None:
        self.jobs_started += 1

    def completed(self, event: JobComplete) -> None:
        self.jobs_completed += 1
        logger.info("job completed in %.1f ms", event.duration.total_seconds() * 1000)

    def failed(self, event: JobFail) -> None:
        self.jobs_failed += 1
        logger.warning("job failed: %s, will retry: %s", event.error, event.will_retry)

    def failed_for_good(self, event: JobPermanentlyFail) -> None:
        self.jobs_failed += 1
        logger.error("job failed for good: %s", event.error)

    def worker_stops(self, event: WorkerShutdown) -> None:
        logger.info("worker %s stops: %s", event.worker_id, event.reason.value)


@task
async def divide(payload: int) -> None:
    _ = 100 / payload


async def main() -> None:
    metrics = MetricsPlugin()
    options = WorkerOptions(database_url=DATABASE_URL, tasks=[divide]).add_plugin(metrics)
    async with options.init() as worker:
        utils = worker.create_utils()
        await utils.add_jobs(divide, [1, 2, 0])
        await utils.add_job(divide, 0, JobSpec(max_attempts=1))
        await worker.run_once()
    print("started:", metrics.jobs_started)
    print("completed:", metrics.jobs_completed)
    print("failed:", metrics.jobs_failed)


if __name__ == "__main__":
    asyncio.run(main())
