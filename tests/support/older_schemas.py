"""Schemas as they were: at any revision, and as other implementations left them."""

from __future__ import annotations

import asyncpg

from graphile_worker.database.schema import Schema
from graphile_worker.migrations import catalog

LEDGER = ((1, True), (2, False), (3, True), *((n, False) for n in range(4, 11)))
LEDGER += ((11, True), (12, False), (13, True), (14, True), (15, False), (16, True))
LEDGER += ((17, False), (18, False), (19, False), (20, False))
"""What a complete ledger says, written out once by hand."""


async def make_ledger(connection: asyncpg.Connection, schema: Schema) -> None:
    await connection.execute(schema.fill(catalog.install(schema_exists=False).text))


async def record(
    connection: asyncpg.Connection, schema: Schema, revision: int, *, breaking: bool
) -> None:
    await connection.execute(
        f"insert into {schema.quoted}.migrations (id, breaking) values ($1, $2)", revision, breaking
    )


async def make_at(connection: asyncpg.Connection, schema: Schema, revision: int) -> None:
    """Build a schema step by step, from the first one on, and stop at a revision."""
    await make_ledger(connection, schema)
    for number in range(1, revision + 1):
        await connection.execute(schema.fill(catalog.upgrade(number).text))
        await record(connection, schema, number, breaking=dict(LEDGER)[number])


async def make_rust_at(connection: asyncpg.Connection, schema: Schema, revision: int) -> None:
    """As the Rust implementation leaves it: some functions were forgotten on the way."""
    await make_at(connection, schema, revision)
    if 11 <= revision <= 15:
        await connection.execute(f"drop function {schema.quoted}.permanently_fail_jobs")
    if revision == 13:
        await connection.execute(f"drop function {schema.quoted}.reschedule_jobs")
        body = schema.fill(catalog.upgrade(14).text)
        await connection.execute(body[body.rindex("create function") :])


async def make_node_at(connection: asyncpg.Connection, schema: Schema, revision: int) -> None:
    """As Node leaves it: its 19 changes only the ledger, its 20 only functions."""
    await make_at(connection, schema, min(revision, 18))
    if revision >= 19:
        await record(connection, schema, 19, breaking=True)
    if revision >= 20:
        await record(connection, schema, 20, breaking=False)


async def forget_breaking(connection: asyncpg.Connection, schema: Schema) -> None:
    """As early versions made the ledger."""
    await connection.execute(f"alter table {schema.quoted}.migrations drop column breaking")
