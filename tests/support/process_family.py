"""All processes that descend from one that a test started, also those whose parents are gone."""

from __future__ import annotations

import psutil

MARK = "GW_TEST_FAMILY"
"""A variable that they inherit."""


def family(mark: str) -> list[int]:
    """The pids of those with this mark that are alive."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue  # gone, or somebody else's
    return found
