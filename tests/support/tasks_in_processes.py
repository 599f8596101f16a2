"""Tasks for test_executors, in a module that a fresh process can import."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from graphile_worker import PermanentFailure, Snooze, task


@dataclass
class Work:
    log: str
    ending: str = "return"


@task(executor="process", timeout=20, backoff=lambda _: timedelta(hours=1))
def far_away(payload: Work) -> None:
    """Say where it runs, then end as it is told."""
    with Path(payload.log).open("a") as log:
        log.write(f"{os.getpid()}\n")
    match payload.ending:
        case "raise":
            raise ValueError("from afar")
        case "snooze":
            raise Snooze(timedelta(hours=1))
        case "permanent":
            raise PermanentFailure("never")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            raise SystemExit(3)


@task(executor="process", timeout=1, backoff=lambda _: timedelta(hours=1))
def hangs(payload: str) -> None:
    """Hang for ever."""
    Path(payload).write_text(str(os.getpid()))
    threading.Event().wait()
