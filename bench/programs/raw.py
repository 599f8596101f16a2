"""What the tables allow: loops around the plain statements, without a worker.

* `work`: claim 500, delete 500, on one connection.
* `sketch`: the least that a worker does in Python: 24 slots fed from 500 claimed ahead, one claim
  and one delete under way at a time, each on a connection of its own.
* `latency`: LISTEN, and one claim by hand for each notification.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import asyncpg
import uvloop

from bench.programs.reporting import Count, asked, now, say
from bench.programs.statements import CLAIM, DELETE, SETTINGS, TASK_ID


async def main() -> None:
    role, url, options = asked()
    await {"work": work, "sketch": sketch, "latency": latency}[role](url, options)


async def work(url: str, options: dict[str, Any]) -> None:
    count = Count(options["jobs"])
    claim, delete = await statements(url, options["batch"], connections=1)
    while rows := await claim.fetch():
        count.ran(len(rows))
        await delete.fetch([row[0] for row in rows])
    await asyncio.Event().wait()


async def sketch(url: str, options: dict[str, Any]) -> None:
    await Sketch(Count(options["jobs"]), options["slots"], options["batch"]).run(url)


class Sketch:
    """A worker without anything a worker needs besides."""

    def __init__(self, count: Count, slots: int, batch: int) -> None:
        self._count = count
        self._slots = slots
        self._batch = batch
        self._waiting: deque[asyncpg.Record] = deque()
        self._ended: list[int] = []
        self._filled, self._wanted, self._any_ended = (asyncio.Event() for _ in range(3))

    async def run(self, url: str) -> None:
        claim, delete = await statements(url, self._batch, connections=2)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claim(claim))
            group.create_task(self._delete(delete))
            for _ in range(self._slots):
                group.create_task(self._slot())

    async def _claim(self, claim: Any) -> None:
        while rows := await claim.fetch():
            self._waiting.extend(rows)
            self._filled.set()
            self._wanted.clear()
            while len(self._waiting) > self._batch:
                await self._wanted.wait()
                self._wanted.clear()
        await asyncio.Event().wait()

    async def _slot(self) -> None:
        while True:
            while not self._waiting:
                self._filled.clear()
                await self._filled.wait()
            job = self._waiting.popleft()
            await self._handler()
            self._ended.append(job[0])
            self._any_ended.set()
            if len(self._waiting) <= self._batch:
                self._wanted.set()
            await asyncio.sleep(0)

    async def _handler(self) -> None:
        self._count.ran()

    async def _delete(self, delete: Any) -> None:
        while True:
            await self._any_ended.wait()
            self._any_ended.clear()
            ids, self._ended = self._ended, []
            await delete.fetch(ids)


async def latency(url: str, options: dict[str, Any]) -> None:
    del options
    claim, delete = await statements(url, 1, connections=1)
    listening = await asyncpg.connect(url)
    told = asyncio.Event()
    await listening.add_listener("jobs:insert", lambda *_: told.set())
    told.set()  # what came before we listened
    while True:
        await told.wait()
        told.clear()
        while rows := await claim.fetch():
            say("start", now())
            await delete.fetch([row[0] for row in rows])


async def statements(url: str, limit: int, *, connections: int) -> tuple[Any, Any]:
    """Claim and delete, prepared, on one connection or on two."""
    opened = [await asyncpg.connect(url, server_settings=SETTINGS) for _ in range(connections)]
    task_id = await opened[0].fetchval(TASK_ID)
    claim = await opened[0].prepare(CLAIM.format(task_id=task_id, limit=limit))
    return claim, await opened[-1].prepare(DELETE.format(ids="$1::bigint[]"))


if __name__ == "__main__":
    uvloop.run(main())
