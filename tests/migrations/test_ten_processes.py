"""Programs that start together, as a fleet does after a deployment."""

from __future__ import annotations

import asyncio
import os
import sys

from support.running import sql


async def test_ten_processes_that_migrate_at_once_all_succeed(empty_database: str) -> None:
    async def migrate() -> tuple[int | None, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "graphile_worker",
            "migrate",
            env={**os.environ, "DATABASE_URL": empty_database},
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        _, errors = await process.communicate()
        return process.returncode, errors

    assert {code for code, _ in await asyncio.gather(*(migrate() for _ in range(10)))} == {0}
    async with sql(empty_database) as connection:
        assert await connection.fetchval("select count(*) from graphile_worker.migrations") == 20
