"""Side tables: made when a feature is switched on, told of in a ledger of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphile_worker.database.operation import Operation, ask
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError
from graphile_worker.queries import side_tables as queries
from graphile_worker.queries.side_tables import META, Feature, ddl

_FORBIDDEN: Final = "42501"


def feature(schema: Schema, name: str) -> Operation[Feature | None]:
    """What the ledger says of a feature; None: it is not installed."""
    if not (yield from ask(queries.table_exists(schema, META))):
        return None
    return (yield from ask(queries.features(schema))).get(name)


def install(schema: Schema, wanted: Feature, creating: Sequence[str]) -> Operation[None]:
    """Make the tables of a feature, where they are missing, and write it down; in a transaction.

    Args:
        schema: where to.
        wanted: the feature, as it is set up from now on.
        creating: the names of its statements.

    Raises:
        DatabaseError: this role may not make tables there (42501); the message says what to grant.
    """
    yield from ask(queries.lock_side_tables(schema))
    try:
        for statement in ("side_tables/create_meta", *creating):
            yield from ask(ddl(schema, statement))
    except DatabaseError as error:
        if error.sqlstate != _FORBIDDEN:
            raise
        raise _forbidden(error, schema) from error
    yield from ask(queries.remember_feature(schema, wanted))


def uninstall(schema: Schema, name: str, dropping: Sequence[str]) -> Operation[None]:
    """Drop the tables of a feature, and the ledger with the last one; in a transaction."""
    yield from ask(queries.lock_side_tables(schema))
    for statement in dropping:
        yield from ask(ddl(schema, statement))
    if not (yield from ask(queries.table_exists(schema, META))):
        return
    yield from ask(queries.forget_feature(schema, name))
    if not (yield from ask(queries.features(schema))):
        yield from ask(ddl(schema, "side_tables/drop_meta"))


def _forbidden(error: DatabaseError, schema: Schema) -> DatabaseError:
    return DatabaseError(
        f"this role may not make tables in the schema {schema.name!r} ({error}); as its owner: "
        f"grant create on schema {schema.quoted} to the role",
        sqlstate=error.sqlstate,
    )
