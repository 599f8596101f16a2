"""The tables and jobs that measurements begin with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from bench.installing import Program
from bench.process import ended
from bench.server import BenchServer

CHUNK = 100_000
STUCK_QUEUES = 2

_ADD = """
select count(*) from graphile_worker.add_jobs(array(
  select row(
    'noop', json_build_object('data', repeat('x', $5)),
    case when $3 > 0 then 'queue_' || (n % $3) end,
    case when $4 then now() - interval '1 hour' + n * interval '1 microsecond' end,
    null, null, null, null
  )::graphile_worker.job_spec
  from generate_series($1::integer, $2::integer) as n
))
"""

LEFT = {
    "graphile": "select count(*) from graphile_worker._private_jobs",
    "pgqueuer": "select count(*) from pgqueuer where status in ('queued', 'picked')",
    "procrastinate": "select count(*) from procrastinate_jobs where status in ('todo', 'doing')",
}
"""How many jobs are not done, by whose tables they are in."""


def left(tables: str) -> str:
    """The statement that counts what is not done."""
    return LEFT.get(tables, LEFT["graphile"])


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """What is in a template of Graphile's tables.

    Attributes:
        ready: jobs that may run.
        queues: over how many named queues they are spread; 0: none.
        stuck: jobs before them, in two named queues that somebody has locked.
        payload_bytes: in each job, about.
        distinct_run_at: each job is due at its own time; otherwise those of an `add_jobs` call
            share one.
    """

    ready: int
    queues: int = 0
    stuck: int = 0
    payload_bytes: int = 0
    distinct_run_at: bool = False

    @property
    def name(self) -> str:
        parts = [self.ready, self.queues, self.stuck, self.payload_bytes, int(self.distinct_run_at)]
        return "_".join(map(str, parts))


class Templates:
    """Makes each template when it is first needed."""

    def __init__(self, server: BenchServer, programs: dict[str, Program], others: int) -> None:
        self._server = server
        self._programs = programs
        self._others = others
        """Jobs in the tables of those who have tables of their own."""

    async def of(self, tables: str, jobs: Jobs) -> tuple[str, int]:
        """The template's name, and how many jobs in it will be done."""
        if tables in LEFT:
            count = min(jobs.ready, self._others) if tables == "procrastinate" else jobs.ready
            made = self._install_and(tables, self._fill_by_program(tables, count))
            return await self._server.template(f"{tables}_{count}", made), count
        made = self._install_and(tables, lambda url: fill(url, jobs))
        return await self._server.template(f"{tables}_{jobs.name}", made), jobs.ready

    def _install_and(
        self, tables: str, fills: Callable[[str], Awaitable[object]]
    ) -> Callable[[str], Awaitable[None]]:
        async def make(url: str) -> None:
            await ended(self._programs[tables], "install", url, {})
            await fills(url)

        return make

    def _fill_by_program(self, tables: str, count: int) -> Callable[[str], Awaitable[object]]:
        return lambda url: ended(self._programs[tables], "fill", url, {"jobs": count})


async def fill(url: str, jobs: Jobs) -> None:
    """Put jobs into Graphile's tables, through its own function."""
    connection = await asyncpg.connect(url)
    try:
        if jobs.stuck:
            await add(connection, Jobs(ready=jobs.stuck, queues=STUCK_QUEUES))
            await connection.execute(
                "update graphile_worker._private_job_queues"
                " set locked_by = 'somebody else', locked_at = now()"
            )
        await add(connection, jobs)
    finally:
        await connection.close()


async def add(connection: asyncpg.Connection, jobs: Jobs, *, start: int = 1) -> None:
    """Add the ready ones, in transactions of up to 100,000."""
    for first in range(start, start + jobs.ready, CHUNK):
        last = min(first + CHUNK, start + jobs.ready) - 1
        await connection.execute(
            _ADD, first, last, jobs.queues, jobs.distinct_run_at, jobs.payload_bytes
        )
