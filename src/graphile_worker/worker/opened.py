"""What a worker works on."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from graphile_worker.database.executor import Database
from graphile_worker.history.options import HistoryConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The databases of a worker, ready for it, and what closes them.

    Attributes:
        database: where its tables are.
        direct: for LISTEN, the heartbeat and what else needs a session; the same where no other
            is given.
        has_queue_index: whether our index is there.
        history: what is to be recorded; None: nothing.
        resources: closes what was opened.
    """

    database: Database
    direct: Database
    has_queue_index: bool
    history: HistoryConfig | None
    resources: AsyncExitStack
