"""Looking at embedded servers from outside, as an operator would."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

PROGRAM = """
import os, sys
from graphile_worker.embedded.server import EmbeddedPostgres
server = EmbeddedPostgres.start(sys.argv[1])
print(server.url, server.folder, flush=True)
if sys.stdin.readline() == "leave at once\\n":
    os._exit(0)
"""
"""Uses the server of a URL until it is told to end, or is killed."""


@dataclass
class Program:
    """Another process that starts, or joins, a server."""

    process: subprocess.Popen[str]

    def told(self) -> tuple[str, Path]:
        """The URL and the folder of its server, once that is ready."""
        line = self.process.stdout.readline()
        assert line, f"no server: {self.process.stderr.read()}"
        url, folder = line.split()
        return url, Path(folder)

    def end(self, how: str = "") -> str:
        """Let it end; answers what it complained of."""
        return self.process.communicate(f"{how}\n", timeout=20)[1]


def processes_of(folder: Path, script: str = "") -> list[psutil.Process]:
    """The reaper and the postmaster, which name their folder in their command lines."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        for line in [process.info["cmdline"] or [""]]
        if str(folder) in " ".join(line) and script in " ".join(line) and line[1] != "-c"
    ]


def reaper_of(folder: Path) -> psutil.Process:
    [reaper] = processes_of(folder, "reaper.py")
    return reaper


def postmaster_of(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split()[0]))


async def query(url: str, *statements: str) -> object:
    """Run statements one by one, and answer the first value of the last."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()
