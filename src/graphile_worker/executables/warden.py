"""Programs do not outlive the worker that runs them, however it ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_PROGRAM: Final = """\
import contextlib, os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)
"""
"""Reads which process groups run, until the worker's end of the pipe is gone."""


class Warden:
    """A process that kills process groups once this process is gone.

    The job of a killed worker is soon run by another one: its program must not run on beside that.
    The warden is started when there is something to guard, and ends with this process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipe: int | None = None

    @contextmanager
    def guarding(self, group: int) -> Generator[None]:
        """Inside, this process group is killed if this process ends."""
        self._tell(f"+{group}\n")
        try:
            yield
        finally:
            self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError):  # without one there is nobody to guard
            if self._pipe is None:
                self._pipe = _start()
            os.write(self._pipe, line.encode())


def _start() -> int:
    """The pipe to a new one."""
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # no signal of ours is meant for it
        )
    except OSError:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    threading.Thread(target=process.wait, name="warden", daemon=True).start()
    return writing
