"""What goes wrong, and when: the same for the same seed."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg

from chaos.fleet import Fleet
from chaos.proxy import Proxy
from chaos.server import Server

ZOMBIE_SECONDS = (4.0, 6.0)
"""Longer than the sweep threshold of the workers."""


class Faults:
    """Injects them one after the other; those that last overlap with the next."""

    def __init__(self, seed: int, server: Server, proxy: Proxy, fleet: Fleet) -> None:
        self._dice = random.Random(seed)
        self._server = server
        self._proxy = proxy
        self._fleet = fleet
        self._lasting: set[asyncio.Task[None]] = set()
        self.done: Counter[str] = Counter()
        self.history: list[tuple[datetime, str]] = []
        self.kinds: dict[str, Callable[[], Awaitable[bool]]] = {
            "kill a worker": self._kill,
            "stop a worker for a moment": self._hiccup,
            "zombie": self._zombie,
            "stop all workers at once": self._zombies,
            "restart PostgreSQL (fast)": self._restart,
            "restart PostgreSQL (immediate)": self._crash,
            "terminate backends": self._terminate,
            "latency": self._latency,
            "reset connections": self._reset,
            "black hole": self._black_hole,
            "half-open connections": self._half_open,
            "cut in the middle of a result": self._cut,
        }

    async def inject(self, seconds: float, pause: tuple[float, float]) -> None:
        """Go on for some seconds, with pauses between one fault and the next."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    for kind in self._order():
                        await asyncio.sleep(self._dice.uniform(*pause))
                        self.history.append((datetime.now(UTC), kind))
                        if await self.kinds[kind]():
                            self.done[kind] += 1
        finally:  # or a server would be started behind whoever cancelled this
            await asyncio.gather(*self._lasting)

    def _order(self) -> Iterator[str]:
        """Every kind in each round, in an order of its own."""
        while True:
            kinds = list(self.kinds)
            self._dice.shuffle(kinds)
            yield from kinds

    async def _kill(self) -> bool:
        place = self._fleet.pick(self._dice)
        if place is not None:
            self._fleet.kill(place)
        return place is not None

    async def _hiccup(self) -> bool:
        return self._freeze((0.2, 1.0))

    async def _zombie(self) -> bool:
        return self._freeze(ZOMBIE_SECONDS)

    async def _zombies(self) -> bool:
        """Then each is swept by whoever wakes first, or by nobody."""
        seconds = self._dice.uniform(*ZOMBIE_SECONDS)
        frozen = [self._last(seconds) for _ in range(100)]
        return any(frozen)

    def _freeze(self, between: tuple[float, float]) -> bool:
        return self._last(self._dice.uniform(*between))

    def _last(self, seconds: float) -> bool:
        place = self._fleet.pick(self._dice)
        if place is None:
            return False
        self._fleet.frozen.add(place)
        self._keep(self._fleet.freeze(place, seconds))
        return True

    async def _restart(self) -> bool:
        await asyncio.shield(self._keep(self._server.restart(signal.SIGINT)))
        return True

    async def _crash(self) -> bool:
        await asyncio.shield(self._keep(self._server.restart(signal.SIGQUIT)))
        return True

    async def _terminate(self) -> bool:
        connection = await asyncpg.connect(self._server.url)
        try:
            rows = await connection.fetch(
                "select pid from pg_stat_activity where application_name like 'graphile-worker%'"
            )
            for row in rows:
                if self._dice.random() < 0.4:
                    await connection.execute("select pg_terminate_backend($1)", row["pid"])
        finally:
            await connection.close()
        return bool(rows)

    async def _latency(self) -> bool:
        self._keep(self._proxy.delay(self._dice.uniform(0.02, 0.1), self._dice.uniform(0.5, 2)))
        return True

    async def _reset(self) -> bool:
        self._proxy.reset()
        return True

    async def _black_hole(self) -> bool:
        self._keep(self._proxy.swallow(self._dice.uniform(0.5, 3)))
        return True

    async def _half_open(self) -> bool:
        return self._proxy.half_open(self._dice, 0.3) > 0

    async def _cut(self) -> bool:
        return self._proxy.cut_answers(self._dice, 0.5) > 0

    def _keep(self, lasting: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(lasting)
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)
        return task
