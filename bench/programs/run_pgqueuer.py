"""pgqueuer, in an environment of its own: several managers in a process, large batches."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import uvloop
from pgqueuer import AsyncpgDriver, PgQueuer, Queries

from bench.programs.reporting import Count, asked, rate


async def main() -> None:
    role, url, options = asked()
    await {"install": install, "fill": fill, "work": work, "enqueue": enqueue}[role](url, options)


async def install(url: str, options: dict[str, Any]) -> None:
    del options
    await (await queries(url)).install()


async def fill(url: str, options: dict[str, Any]) -> None:
    await add(await queries(url), options["jobs"])


async def work(url: str, options: dict[str, Any]) -> None:
    count = Count(options["jobs"])
    async with asyncio.TaskGroup() as group:
        for _ in range(options["managers"]):
            manager = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))

            @manager.entrypoint("noop")
            async def noop(job: object) -> None:
                del job
                count.ran()

            group.create_task(manager.run(batch_size=options["batch"]))


async def enqueue(url: str, options: dict[str, Any]) -> None:
    to = await queries(url)
    many, one = options["many"], options["one"]
    await add(to, 1)

    async def one_by_one() -> None:
        for _ in range(one):
            await to.enqueue("noop", b"{}")

    await rate("one", one, one_by_one)
    await rate("many", many, lambda: add(to, many))


async def queries(url: str) -> Queries:
    return Queries(AsyncpgDriver(await asyncpg.connect(url)))


async def add(to: Queries, jobs: int) -> None:
    await to.enqueue(["noop"] * jobs, [b"{}"] * jobs, [0] * jobs)


if __name__ == "__main__":
    uvloop.run(main())
