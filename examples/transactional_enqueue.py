"""A job in the transaction of the rows it is about: there if, and only if, they are."""

import asyncio
import os
import tempfile
from pathlib import Path

import asyncpg

from graphile_worker import WorkerOptions, WorkerUtils, task
from graphile_worker.embedded.server import EmbeddedPostgres

FOLDER = Path(tempfile.gettempdir(), f"graphile-worker-example-{os.getpid()}")


@task
async def ship(payload: int) -> None:
    print("shipping order", payload)


async def order(pool: "asyncpg.Pool[asyncpg.Record]", utils: WorkerUtils, price: int) -> None:
    """Store an order and the job that ships it; one without the other cannot be."""
    async with pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval(
            "insert into orders (price) values ($1) returning id", price
        )
        await utils.with_executor(connection).add_job(ship, number)
        if price < 0:
            raise ValueError(price)


async def main(url: str) -> None:
    async with (
        asyncpg.create_pool(url, min_size=0) as pool,
        WorkerOptions(database=pool, tasks=[ship]).init() as worker,
    ):
        await pool.execute(
            "create table orders "
            "(id bigint generated always as identity primary key, price int not null)"
        )
        utils = worker.create_utils()
        await order(pool, utils, 100)
        try:
            await order(pool, utils, -1)
        except ValueError:
            print("no order, no job:", (await utils.stats()).total == 1)
        await worker.run_once()


if __name__ == "__main__":
    if url := os.environ.get("DATABASE_URL"):
        asyncio.run(main(url))
    else:
        with EmbeddedPostgres.start(f"embedded://{FOLDER}?temporary") as server:
            asyncio.run(main(server.url))
