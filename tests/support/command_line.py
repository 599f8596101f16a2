"""The command `graphile-worker` as a process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

PROGRAM = [sys.executable, "-m", "graphile_worker"]


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Ours without what the commands look at, or what makes their output differ."""
    foreign = ("PG", "DATABASE_URL", "GRAPHILE_WORKER", "COLUMNS", "NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", **changes}
