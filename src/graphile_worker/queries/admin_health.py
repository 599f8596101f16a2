"""What the health screen asks PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement
from graphile_worker.queries.loader import load


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table of the schema, by PostgreSQL's statistics; None where it keeps none."""

    name: str
    table_bytes: int
    index_bytes: int
    live_rows: int | None
    dead_rows: int | None
    vacuumed_at: datetime | None
    analyzed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ServerState:
    """The server, and who else is on it, as far as the role may see that."""

    oldest_transaction: float | None
    """Seconds for which the oldest transaction of others has kept dead rows from being removed."""
    connections: int
    """Of programs of ours."""
    listening: int
    """Connections on which somebody listens, as far as the role may see that."""
    version: str
    clock: datetime
    counts_rows: bool
    """Whether PostgreSQL keeps the statistics that throughput is worked out from."""


def table_sizes(schema: Schema) -> Statement[list[TableSize]]:
    """All tables of the schema, by name."""
    return Statement("admin_storage", load("admin_storage", schema), (schema.name,), _sizes)


def server_state(schema: Schema) -> Statement[ServerState]:
    """The server."""
    return Statement("admin_sessions", load("admin_sessions", schema), (), _server)


def _sizes(rows: Sequence[Row]) -> list[TableSize]:
    return [TableSize(*row) for row in rows]


def _server(rows: Sequence[Row]) -> ServerState:
    return ServerState(*rows[0])
