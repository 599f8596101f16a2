"""The name under which a worker holds jobs."""

from __future__ import annotations

import secrets
from typing import Final

PREFIX: Final = "graphile_worker_py"
"""Ids of this library. Such a worker registers before its first claim, so an id of ours that holds
a lock and is not registered was swept: nobody who says so can be working on that job."""


class WorkerIdentity:
    """Who a worker is at the moment: a new one for each start, and another after it was swept.

    Claims and releases read it when they are sent. It changes only while the worker holds no job.
    """

    def __init__(self, worker_id: str | None = None) -> None:
        self.id = worker_id or new_worker_id()

    def __str__(self) -> str:
        return self.id


def new_worker_id() -> str:
    """An id that nobody had before."""
    return PREFIX + secrets.token_hex(8)
