"""procrastinate, in an environment of its own: 24 jobs at once, jobs that ended deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import procrastinate

from bench.programs.reporting import Count, asked, rate


async def main() -> None:
    role, url, options = asked()
    count = Count(options.get("jobs", 0))
    connector = procrastinate.PsycopgConnector(
        conninfo=url, max_size=options.get("concurrency", 2) + 2
    )
    app = procrastinate.App(connector=connector)

    @app.task(name="noop")
    async def noop() -> None:
        count.ran()

    async with app.open_async():
        match role:
            case "install":
                await app.schema_manager.apply_schema_async()
            case "fill":
                await add(noop, options["jobs"])
            case "enqueue":
                await enqueue(noop, options["many"], options["one"])
            case _:
                await app.run_worker_async(
                    concurrency=options["concurrency"],
                    delete_jobs="always",
                    install_signal_handlers=False,
                )


async def enqueue(noop: Any, many: int, one: int) -> None:
    await noop.defer_async()

    async def one_by_one() -> None:
        for _ in range(one):
            await noop.defer_async()

    await rate("one", one, one_by_one)
    await rate("many", many, lambda: add(noop, many))


async def add(noop: Any, jobs: int) -> None:
    for start in range(0, jobs, 5_000):
        await noop.batch_defer_async(*[{}] * min(5_000, jobs - start))


def start() -> None:
    """Not as `__main__`: an app made there is warned of."""
    asyncio.run(main())
