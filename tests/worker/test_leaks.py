"""What a worker opens it closes, however often its connections are lost."""

from __future__ import annotations

import asyncio
import threading

import psutil
from support.running import running, sql, until

from graphile_worker import WorkerContext, task


async def test_reconnects_leave_nothing_behind(gw_database: str) -> None:
    done: asyncio.Queue[int] = asyncio.Queue()

    @task(payload=None)
    async def work(ctx: WorkerContext) -> None:
        async with ctx.transaction():
            done.put_nowait(ctx.job.id)

    process = psutil.Process()

    async with (
        sql(gw_database) as connection,
        running(
            gw_database, tasks=[work], poll_interval=0.02, heartbeat_interval=0.02, concurrency=2
        ) as worker,
    ):

        async def settled() -> bool:
            health = worker.health()
            return health.is_ready and health.listening and not health.running

        async def work_off() -> None:
            await connection.execute("select graphile_worker.add_job('work')")
            await asyncio.wait_for(done.get(), 20)
            await until(settled)

        async def counts() -> tuple[int, int, int]:
            return len(asyncio.all_tasks()), threading.active_count(), process.num_fds()

        await work_off()
        before = await counts()
        for _ in range(10):
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name like 'graphile-worker%' and datname = current_database()"
            )
            await work_off()

        async def as_before() -> bool:
            return all(now <= then for now, then in zip(await counts(), before, strict=True))

        await until(as_before)
