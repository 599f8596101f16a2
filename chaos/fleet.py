"""Worker processes that are started again when they die."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from pathlib import Path
from typing import Self

from chaos.worker import DID_NOT_START


class Fleet:
    """Keeps `size` workers up until it is closed; each writes its log into a file."""

    def __init__(self, url: str, size: int, concurrency: int, logs: Path) -> None:
        self._url = url
        self._size = size
        self._concurrency = concurrency
        self._logs = logs
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._closing = False
        self._started = 0
        self.frozen: set[int] = set()
        self.surprises: list[int] = []
        """Exit codes of workers that ended though nobody killed them."""

    async def __aenter__(self) -> Self:
        self._keepers = [asyncio.ensure_future(self._keep(place)) for place in range(self._size)]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._closing = True
        for process in self._processes.values():
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*self._keepers)

    def pids(self) -> set[int]:
        """The processes, as they are now."""
        return {process.pid for process in self._processes.values()}

    def pick(self, dice: random.Random) -> int | None:
        """A worker that runs."""
        running = [
            place
            for place, process in sorted(self._processes.items())
            if process.returncode is None and place not in self.frozen
        ]
        return dice.choice(running) if running else None

    def kill(self, place: int) -> None:
        """Like the kernel when memory runs out."""
        self._send(place, signal.SIGKILL)

    async def freeze(self, place: int, seconds: float) -> None:
        """Stop it in the middle of whatever it does, and let it go on later."""
        self.frozen.add(place)
        process = self._processes[place]
        self._send(place, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
        self.frozen.discard(place)

    async def end_in_order(self) -> list[int]:
        """SIGTERM to all; answers with their exit codes."""
        self._closing = True
        for place in list(self._processes):
            self._send(place, signal.SIGTERM)
        async with asyncio.timeout(40):
            return [await process.wait() for process in self._processes.values()]

    async def _keep(self, place: int) -> None:
        while not self._closing:
            self._started += 1
            with (self._logs / f"worker-{self._started}.log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "chaos.worker", self._url, str(self._concurrency)),
                    stderr=log,
                    cwd=Path(__file__).parent.parent,
                )
            self._processes[place] = process
            code = await process.wait()
            if not self._closing and code not in {-signal.SIGKILL, DID_NOT_START}:
                self.surprises.append(code)

    def _send(self, place: int, number: signal.Signals) -> None:
        process = self._processes[place]
        if process.returncode is None:
            process.send_signal(number)
