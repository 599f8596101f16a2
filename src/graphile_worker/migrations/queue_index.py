"""The index of ours on the shared table: the first job of each named queue.

The tables are shared with workers in other languages, and so is their ledger, in which nothing of
ours may stand. This index needs no ledger: the catalogue says whether it is there. Without it
everything works; claims then read past the jobs that wait behind locked queues, and the next job of
a queue is found by an ordinary claim. It costs what an index costs: a third of the speed of bulk
inserts into named queues, nothing for jobs without one.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from graphile_worker.database.executor import Connection
from graphile_worker.database.schema import Schema
from graphile_worker.errors import ConnectionLostError, DatabaseError

_log = logging.getLogger(__name__)

NAME: Final = "graphile_worker_py_queue_heads"
"""Unqualified; it is in the schema of its table."""

_MADE_BY_OTHERS: Final = frozenset({"42P07", "23505"})


def create_index() -> str:
    """SQL with the schema's placeholder, for a table that nobody uses yet."""
    return (Path(__file__).parent / "queue_index.sql").read_text(encoding="utf-8")


async def build_index(connection: Connection, schema: Schema) -> str | None:
    """Build it while others use the table; waits for transactions that are older.

    Returns:
        A warning where it could not be built, which is no reason to fail.

    Raises:
        ConnectionLostError: an index that is not valid may be left, which `unusable` tells of.
    """
    _log.info("building the index %s", NAME)
    text = create_index().replace("create index", "create index concurrently", 1)
    try:
        await connection.script(schema.fill(text))
    except ConnectionLostError:
        raise
    except DatabaseError as error:
        if error.sqlstate in _MADE_BY_OTHERS:
            return None
        return f"the index {NAME} could not be built; jobs run without it, slower: {error}"
    return None


def unusable(schema: Schema) -> str:
    """The warning about an index that is there and not valid."""
    return (
        f"the index {NAME} is not valid, so nothing uses it. Either it is being built at this "
        f"moment, or that was interrupted; then: drop index {schema.quoted}.{NAME}; and migrate "
        "again"
    )
