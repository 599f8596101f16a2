"""What the server, its catalogue and its counters say of a schema; no table of jobs is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, first_column, is_true, only_value
from graphile_worker.queries.loader import load


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReading:
    """The server as the connected role sees it."""

    version_number: int
    """As in `server_version_num`."""
    version: str
    database: str
    role: str
    is_standby: bool
    """Whether it follows another server, and cannot be written to."""
    autovacuum: bool
    """Whether autovacuum runs at all."""
    limits: tuple[ConnectionLimit, ...]
    """Those of the server, of this database and of this role, as far as there are any."""


@dataclass(frozen=True, slots=True)
class ConnectionLimit:
    """How many connections there may be, and how many of them others have."""

    most: int
    others: int
    """Sessions that are not of graphile-worker in this database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReading:
    """How vacuum keeps up with one table; rows are the server's estimates."""

    table: str
    qualified: str
    """As SQL wants it, with its schema."""
    live_rows: int
    dead_rows: int
    seconds_since_vacuum: float | None
    """None: never, as far as the counters know."""
    autovacuum: bool
    """Whether autovacuum is on for this table."""
    transaction_age: int
    """How many transactions ago its oldest rows may have been written."""


@dataclass(frozen=True, slots=True)
class SnapshotHolder:
    """What keeps vacuum from rows that were deleted since it began."""

    what: str
    seconds: float
    """How long already; -1 for a replication slot, which has no time."""


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """An index by what it does."""

    table: str
    name: str
    unique: bool
    valid: bool
    """False: PostgreSQL gave up building it, and does not use it."""
    definition: str
    """As `pg_get_indexdef` writes it, from the method on."""


@dataclass(frozen=True, slots=True)
class SequenceReading:
    """How far a sequence is."""

    name: str
    qualified: str
    """As SQL wants it, with its schema."""
    last_value: int
    max_value: int


def server_reading() -> Statement[ServerReading]:
    """What the server is, and what it lets this role do."""
    return Statement("server_reading", _catalog("server_reading"), (), _server)


def database_clock() -> Statement[datetime]:
    """The database's clock at this moment."""
    return Statement("database_clock", _catalog("database_clock"), (), only_value)


def locks_job_keys(schema: Schema) -> Statement[bool]:
    """Whether revision 19 is the one of the Rust worker."""
    return Statement("schema_lineage", _catalog("schema_lineage"), (schema.name,), is_true)


def missing_rights(schema: Schema) -> Statement[list[str]]:
    """What this role would have to be granted, as `grant` takes it."""
    return Statement("missing_rights", _catalog("missing_rights"), (schema.name,), first_column)


def table_readings(schema: Schema) -> Statement[list[TableReading]]:
    """How vacuum keeps up with each table of the schema."""
    return Statement("table_readings", _catalog("table_readings"), (schema.name,), _tables)


def snapshot_holders(*, older_than: float) -> Statement[list[SnapshotHolder]]:
    """What has been holding vacuum back for so many seconds."""
    return Statement("snapshot_holders", _catalog("snapshot_holders"), (older_than,), _holders)


def index_definitions(schema: Schema) -> Statement[list[IndexDefinition]]:
    """All indexes of the schema."""
    return Statement("index_definitions", _catalog("index_definitions"), (schema.name,), _indexes)


def sequence_readings(schema: Schema) -> Statement[list[SequenceReading]]:
    """All sequences of the schema that come to an end."""
    return Statement("sequence_readings", _catalog("sequence_readings"), (schema.name,), _sequences)


_ANY = Schema("graphile_worker")
"""These statements name no table: the schema is an argument, or does not matter."""


def _catalog(name: str) -> str:
    return load(name, _ANY)


def _server(rows: Sequence[Row]) -> ServerReading:
    number, version, database, role, is_standby, autovacuum, *counts = rows[0]
    limits = zip(counts[::2], counts[1::2], strict=True)
    return ServerReading(
        version_number=number,
        version=version,
        database=database,
        role=role,
        is_standby=is_standby,
        autovacuum=autovacuum,
        limits=tuple(ConnectionLimit(most, others) for most, others in limits if most is not None),
    )


def _tables(rows: Sequence[Row]) -> list[TableReading]:
    return [
        TableReading(
            table=table,
            qualified=qualified,
            live_rows=live,
            dead_rows=dead,
            seconds_since_vacuum=seconds,
            autovacuum=autovacuum,
            transaction_age=age,
        )
        for table, qualified, live, dead, seconds, autovacuum, age in rows
    ]


def _holders(rows: Sequence[Row]) -> list[SnapshotHolder]:
    return [SnapshotHolder(*row) for row in rows]


def _indexes(rows: Sequence[Row]) -> list[IndexDefinition]:
    return [IndexDefinition(*row) for row in rows]


def _sequences(rows: Sequence[Row]) -> list[SequenceReading]:
    return [SequenceReading(*row) for row in rows]
