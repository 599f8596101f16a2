"""A PostgreSQL that may be stopped in any way, and comes back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import asyncpg

from graphile_worker.embedded.account import reachable_binaries, server_account
from graphile_worker.embedded.binaries import find_binaries

_SETTINGS = MappingProxyType(
    {
        "shared_buffers": "64MB",
        # A crash of the server is not a crash of the machine: what was written is there.
        "fsync": "off",
        "log_min_messages": "fatal",
    }
)


class Server:
    """One cluster in a temporary folder, reached through its Unix socket.

    Args:
        settings: of PostgreSQL, besides those that make it reachable.
    """

    def __init__(self, settings: Mapping[str, str] = _SETTINGS) -> None:
        self._settings = {"listen_addresses": "", "max_connections": "200", **settings}
        self._account = server_account()
        self._binaries = reachable_binaries(find_binaries(), self._account)
        self._folder = Path(tempfile.mkdtemp(prefix="gw-chaos-"))
        self._data = self._folder / "data"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._folder / ".s.PGSQL.5432"

    @property
    def pid(self) -> int:
        """The process that all others of the server come from."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """A way to it that nothing breaks but its own end."""
        return f"postgresql://postgres@/postgres?host={self._folder}&port=5432"

    async def __aenter__(self) -> Self:
        self._data.mkdir(mode=0o700)
        if self._account is not None:
            for path in (self._folder, self._data):
                os.chown(path, self._account.uid, self._account.gid)
        program = str(self._binaries.folder / "initdb")
        options = ["-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        await asyncio.to_thread(
            subprocess.run,
            [program, *options, "--locale=C", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            **self._as_account(),
        )
        await self.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def start(self) -> None:
        """Start, and wait until it answers."""
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        self._process = await asyncio.create_subprocess_exec(
            str(self._binaries.folder / "postgres"),
            *("-D", str(self._data), "-k", str(self._folder), *settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **self._as_account(),
        )
        async with asyncio.timeout(60):
            while True:
                try:
                    connection = await asyncpg.connect(self.url)
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.02)
                else:
                    await connection.close()
                    return

    async def stop(self, how: signal.Signals) -> None:
        """Stop: SIGINT drops all sessions (fast), SIGQUIT is a crash (immediate)."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(how)
            await process.wait()

    async def restart(self, how: signal.Signals) -> None:
        """Stop and start."""
        await self.stop(how)
        await self.start()

    def _as_account(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.uid, "group": self._account.gid, "extra_groups": []}
