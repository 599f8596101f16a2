"""The hold on one process."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, os, signal, sys
from graphile_worker.supervisor.process import SupervisedProcess

async def main():
    process = SupervisedProcess(1, [sys.executable, "-c", ""], os.environ, print)
    await process.exited
    process.kill()
    print("ended")

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps, and forgets the exit code
asyncio.run(main())
"""


def test_the_end_of_a_process_that_others_reaped_is_noticed() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=15
    )
    assert (ended.stdout, ended.stderr) == ("ended\n", "")
