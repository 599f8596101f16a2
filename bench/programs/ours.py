"""This project's worker."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop

from bench.programs.reporting import Count, asked, now, rate, say
from graphile_worker import LocalQueueConfig, WorkerOptions, WorkerUtils, task
from graphile_worker.client.open_database import open_database


async def main() -> None:
    role, url, options = asked()
    await {
        "install": install,
        "work": work,
        "latency": latency,
        "enqueue": enqueue,
        "hold": hold,
    }[role](url, options)


async def install(url: str, options: dict[str, Any]) -> None:
    del options
    database = await open_database(url)
    await WorkerUtils(database).migrate()
    await database.aclose()


async def work(url: str, options: dict[str, Any]) -> None:
    count = Count(options["jobs"])

    @task
    async def noop(payload: dict[str, str]) -> None:
        del payload
        count.ran()

    telling = asyncio.create_task(count.tell_every(options.get("tell_every", 1e9)))
    await run(url, noop, options)
    telling.cancel()


async def latency(url: str, options: dict[str, Any]) -> None:
    @task
    async def noop(payload: dict[str, str]) -> None:
        say("start", now())
        del payload

    await run(url, noop, options)


async def hold(url: str, options: dict[str, Any]) -> None:
    """Claim what the local queue takes, and run nothing to its end."""

    @task
    async def noop(payload: dict[str, str]) -> None:
        del payload
        await asyncio.Event().wait()

    await run(url, noop, options)


async def enqueue(url: str, options: dict[str, Any]) -> None:
    @task
    async def noop(payload: dict[str, str]) -> None:
        del payload

    many, one = options["many"], options["one"]
    async with WorkerUtils.connect(url) as utils:
        await utils.add_job(noop, {})

        async def one_by_one() -> None:
            for _ in range(one):
                await utils.add_job(noop, {})

        await rate("one", one, one_by_one)
        await rate("many", many, lambda: utils.add_jobs_stream(noop.job({}) for _ in range(many)))


async def run(url: str, noop: object, options: dict[str, Any]) -> None:
    async with worker_options(url, noop, options).init() as worker:
        await worker.run()


def worker_options(url: str, noop: object, options: dict[str, Any]) -> WorkerOptions:
    """From the options of the benchmark to those of a worker; what is not named is the default."""
    chosen = {name: options[name] for name in ("concurrency", "claim_mode") if name in options}
    if "local_queue" in options:
        chosen["local_queue"] = LocalQueueConfig(size=options["local_queue"])
    return WorkerOptions(database_url=url, tasks=[noop], **chosen)


if __name__ == "__main__":
    uvloop.run(main())
