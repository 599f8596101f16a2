"""The jobs that are added, the effects that they have, and what has to be true of both."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from graphile_worker.drivers.asyncpg_errors import DRIVER_ERRORS, ours
from graphile_worker.drivers.sqlstate import is_transient

_TABLES = """
create table added (n bigint primary key, kind text not null);
create table effects (
  n bigint not null, kind text not null, worker text not null, attempt integer not null,
  queue text, began_at timestamptz, at timestamptz not null default clock_timestamp()
);
"""
_KINDS = (("plain", 6), ("exact", 2), ("stumbles", 1), ("serial", 1))
_QUEUES = 5
_ADD = """
with new as (
  select * from unnest($1::bigint[], $2::text[], $3::text[]) as new (n, kind, queue)
), noted as (
  insert into added select n, kind from new
)
select count(*) from new, graphile_worker.add_job(
  new.kind, to_json(new.n), queue_name => new.queue, max_attempts => 1000
)
"""
_FAILED = re.compile(rb"job (\d+) \(\w+\) failed")


@dataclass(frozen=True, slots=True)
class Findings:
    """What the tables say in the end. All but the first two have to be 0."""

    jobs: int
    effects: int
    lost: int
    left: int
    duplicated: int
    overlaps: int
    wrong_attempts: int
    locked_queues: int

    @property
    def is_clean(self) -> bool:
        """Whether nothing happened that may not."""
        return not any(
            (
                self.lost,
                self.left,
                self.duplicated,
                self.overlaps,
                self.wrong_attempts,
                self.locked_queues,
            )
        )


class Ledger:
    """Over a way to the server that only the server's own end breaks."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._dice = random.Random(seed)
        self._next = 1
        self.added = 0

    async def prepare(self) -> None:
        """Make the tables."""
        async with self._connection() as connection:
            await connection.execute(_TABLES)

    async def add(self, backlog: int, batch: int = 200) -> None:
        """Keep so many jobs waiting, until cancelled, through any restart.

        Raises what no restart explains: without jobs a campaign would find all well.
        """
        while True:
            try:
                if await self.left() < backlog:
                    await self._add(batch)
                else:
                    await asyncio.sleep(0.05)
            except DRIVER_ERRORS as error:
                if not is_transient(ours(error)):
                    raise
                await asyncio.sleep(0.1)

    async def _add(self, batch: int) -> None:
        first = self._next
        numbers = list(range(first, first + batch))
        names = [name for name, weight in _KINDS for _ in range(weight)]
        kinds = self._dice.choices(names, k=batch)
        queues = [
            f"q{n % _QUEUES}" if kind == "serial" else None
            for n, kind in zip(numbers, kinds, strict=True)
        ]
        async with self._connection() as connection:
            # The answer of the last try may have been lost with its connection.
            there = await connection.fetchval(
                "select exists (select from added where n = $1)", first
            )
            if not there:
                await connection.execute(_ADD, numbers, kinds, queues)
        self._next += batch
        self.added += batch

    async def left(self) -> int:
        """How many jobs are in the table."""
        async with self._connection() as connection:
            return await connection.fetchval("select count(*) from graphile_worker._private_jobs")

    async def wait_done(self, seconds: float) -> float | None:
        """Wait until no job is left; answers with the seconds it took, or None."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        while loop.time() - start < seconds:
            if not await self.left():
                return loop.time() - start
            await asyncio.sleep(0.05)
        return None

    async def wait_registered(self, pids: Callable[[], set[int]]) -> None:
        """Wait until these processes are at work: one that just starts heeds no signal yet."""
        async with self._connection() as connection, asyncio.timeout(60):
            while True:
                rows = await connection.fetch(
                    "select (metadata->>'pid')::integer as pid from graphile_worker._private_workers"
                )
                if pids() <= {row["pid"] for row in rows}:
                    return
                await asyncio.sleep(0.05)

    async def longest_silence(self) -> tuple[datetime, datetime]:
        """From the effect after which nothing happened for longest, to the next one."""
        async with self._connection() as connection:
            row = await connection.fetchrow(
                "select lag(at, 1, at) over (order by at) as before, at from effects"
                " order by at - lag(at, 1, at) over (order by at) desc limit 1"
            )
        assert row is not None, "there was no effect at all"
        return row["before"], row["at"]

    async def findings(self, logs: bytes) -> Findings:
        """Look at everything."""
        async with self._connection() as connection:
            return Findings(
                jobs=await connection.fetchval("select count(*) from added"),
                effects=await connection.fetchval("select count(*) from effects"),
                lost=await connection.fetchval(
                    "select count(*) from added where"
                    " not exists (select from effects where effects.n = added.n)"
                    " and not exists (select from graphile_worker._private_jobs"
                    " where payload::text::bigint = added.n)"
                ),
                left=await self.left(),
                duplicated=await connection.fetchval(
                    "select count(*) from (select n from effects where kind <> 'plain'"
                    " group by n having count(*) > 1) as twice"
                ),
                # Committed only by the holder of the queue: the next one begins after that.
                overlaps=await connection.fetchval(
                    "select count(*) from (select began_at < lag(at) over"
                    " (partition by queue order by at) as early from effects where queue is not null)"
                    " as pairs where early"
                ),
                wrong_attempts=await self._wrong_attempts(connection, logs),
                locked_queues=await connection.fetchval(
                    "select count(*) from graphile_worker._private_job_queues"
                    " where locked_at is not null"
                ),
            )

    async def _wrong_attempts(self, connection: asyncpg.Connection, logs: bytes) -> int:
        """Jobs for which more attempts were counted than handlers failed, plus the last run.

        A death, an interruption and a lost claim give the attempt back. Ids of jobs are not noted
        in the ledger, so all jobs are compared together.
        """
        failures = len(_FAILED.findall(logs))
        surplus = await connection.fetchval(
            "select coalesce(sum(attempt - 1), 0) from"
            " (select distinct on (n) n, attempt from effects order by n, at) as first_effects"
        )
        return max(0, surplus - failures)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[asyncpg.Connection]:
        connection = await asyncpg.connect(self._url)
        try:
            yield connection
        finally:
            await connection.close()
