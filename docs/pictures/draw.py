"""Draws the pictures of docs/terminal.md: real commands, on a database that is thrown away.

./dev pictures [FOLDER]
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg
from screen import picture

from graphile_worker.embedded.server import EmbeddedPostgres

HERE: Final = Path(__file__).parent
COLUMNS: Final = 120
ROWS: Final = 30

JOBS: Final = """
delete from graphile_worker._private_jobs;
delete from graphile_worker._private_tasks;
select graphile_worker.add_job('make_invoice', to_json(n), 'invoices', priority := -2)
  from generate_series(1, 12) as n;
select graphile_worker.add_job('charge_card', to_json(n), priority := -1)
  from generate_series(1, 400) as n;
select graphile_worker.add_job('send_email', '"nobody@example.invalid"', priority := -1);
select graphile_worker.add_job('send_email', '"ada@example.com"') from generate_series(1, 12000);
select graphile_worker.add_job('charge_card', to_json(98 + n)) from generate_series(1, 90) as n;
select graphile_worker.add_job('send_email', '"bob@example.com"', run_at := now() + d * interval '1 day')
  from generate_series(1, 30) as d;
select graphile_worker.add_job('resize_image', '"cat.png"', run_at := now() - interval '3 minutes')
  from generate_series(1, 4);
"""

LISTED: Final = """
select graphile_worker.add_job('send_email', '"ada@example.com"', job_key := 'welcome:ada');
select graphile_worker.add_job('charge_card', '250', 'account:7', priority := -10);
select graphile_worker.add_job('charge_card', '990', 'account:7', priority := -10);
select graphile_worker.add_job('send_digest', run_at := now() + interval '9 hours');
select graphile_worker.add_job('import_file', '"orders.csv"');
update graphile_worker._private_jobs set locked_at = now(), locked_by = 'app-1', attempts = 1
  where id = 2;
update graphile_worker._private_jobs set attempts = 25, last_error = 'no such file' where id = 5;
"""


def main(folder: Path = HERE) -> None:
    """Draw all four."""
    folder.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres.start("embedded:?temporary") as server:
        variables = {"DATABASE_URL": server.url}
        run(["migrate"], variables)
        asyncio.run(execute(server.url, LISTED))
        draw(folder, "list", variables)
        asyncio.run(execute(server.url, JOBS))
        worker = start(
            ["run", "shop:tasks", "--concurrency", "16", "--log-level", "error"], variables
        )
        try:
            asyncio.run(named(server.url, "app-1"))
            draw(folder, "watch", variables, seconds=5)
            draw(folder, "doctor", variables)
        finally:
            worker.send_signal(signal.SIGINT)
            time.sleep(1.5)  # a second signal within a second counts as the first
            worker.send_signal(signal.SIGINT)
            worker.wait()
    draw(folder, "demo", {})


def draw(
    folder: Path, command: str, variables: Mapping[str, str], *, seconds: float | None = None
) -> None:
    """Run a command in a terminal, to its end or for some seconds, and write its picture."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = start([command], variables, stdout=theirs)
    os.close(theirs)
    timer = threading.Timer(seconds or 3600, process.send_signal, [signal.SIGINT])
    timer.start()
    written = b"".join(iter(lambda: read(ours), b"")).decode()
    timer.cancel()
    process.wait()
    os.close(ours)
    svg = picture(f"graphile-worker {command}", written.replace("\r\n", "\n"), columns=COLUMNS)
    (folder / f"{command}.svg").write_text(svg)
    print(f"{command}.svg")


def read(terminal: int) -> bytes:
    """What was written; nothing more at the end, which a terminal tells as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def start(
    arguments: list[str], variables: Mapping[str, str], stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """The command, in the folder with the tasks."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **variables}
    for name in ("NO_COLOR", "COLUMNS", "LINES", "INVOCATION_ID", "KUBERNETES_SERVICE_HOST"):
        environment.pop(name, None)
    program = [sys.executable, "-m", "graphile_worker", *arguments]
    return subprocess.Popen(program, cwd=HERE, env=environment, stdout=stdout)


def run(arguments: list[str], variables: Mapping[str, str]) -> None:
    """A command to its end."""
    if start(arguments, variables).wait():
        sys.exit(f"graphile-worker {arguments[0]} failed")


async def execute(url: str, text: str) -> None:
    """Run SQL."""
    connection = await asyncpg.connect(url)
    await connection.execute(text)
    await connection.close()


async def named(url: str, host: str) -> None:
    """Wait for the worker to register, and call its machine by a name that says something."""
    connection = await asyncpg.connect(url)
    change = (
        "update graphile_worker._private_workers set metadata = metadata || "
        f"""'{{"host": "{host}", "pid": 71}}'"""
    )
    while await connection.execute(change) == "UPDATE 0":
        await asyncio.sleep(0.05)
    await connection.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
