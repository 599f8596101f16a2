"""Which revision a schema is at, and whether we can work with it."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from graphile_worker.database.executor import Executor
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement
from graphile_worker.errors import DatabaseError, IncompatibleSchemaError, SchemaMissingError
from graphile_worker.migrations.catalog import BASELINE, LATEST, state_query

_log = logging.getLogger(__name__)

_MIN_SERVER_VERSION = 120000
_FORBIDDEN = "42501"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """What the catalogue and the ledger say, seen by the role we are connected as.

    Attributes:
        server_version: as in `server_version_num`.
        encoding: of the database.
        database: its name.
        role: who we are.
        schema_exists: whether there is a schema of this name.
        ledger_owner: None when there is no ledger.
        ledger_readable: whether this role may read it.
        ledger_has_breaking: whether it has the column, which early versions did not make.
        revision: the highest in the ledger; None when there is no row, or none that we may see.
        breaking_revision: the highest breaking one.
        jobs_owner: who owns the table of jobs; None when it is not there under its present name.
        has_registry: whether there is a table of workers, which not every revision 20 made.
        is_blind: row level security hides all rows from this role.
        queue_index: whether our index is valid; None when it is not there.
    """

    server_version: int
    encoding: str
    database: str
    role: str
    schema_exists: bool
    ledger_owner: str | None
    ledger_readable: bool
    ledger_has_breaking: bool
    revision: int | None
    breaking_revision: int | None
    jobs_owner: str | None
    has_registry: bool
    is_blind: bool
    queue_index: bool | None


async def check_schema(executor: Executor, schema: Schema) -> None:
    """Make sure that the schema is there and that this role can work with it; one query.

    Raises:
        SchemaMissingError: it is not, or holds no tables of ours.
        IncompatibleSchemaError: it is too old or too new, or the server is not one for us.
        DatabaseError: this role may not read it, or would see no rows (SQLSTATE 42501).
    """
    state = await read_state(executor, schema)
    refuse_server(state)
    if state.ledger_owner is None:
        raise SchemaMissingError(schema.name)
    refuse_unreadable(state, schema)
    if state.revision is None:
        raise SchemaMissingError(schema.name)
    if state.revision < BASELINE:
        raise IncompatibleSchemaError(
            f"the schema {schema.name!r} is at revision {state.revision}, and this version works "
            f"with {BASELINE} and later; bring it there with: "
            f"graphile-worker --schema {shlex.quote(schema.name)} migrate"
        )
    if state.jobs_owner is None:
        raise SchemaMissingError(schema.name)
    refuse_newer(state, schema)
    warn_newer(state, schema)
    refuse_blind(state, schema)


async def read_state(executor: Executor, schema: Schema) -> SchemaState:
    """Ask for everything at once; fails only as any query may fail."""
    return await executor.run(Statement("schema_state", state_query(), (schema.name,), _decode))


def refuse_server(state: SchemaState) -> None:
    """Refuse a server that cannot hold the schema.

    Raises:
        IncompatibleSchemaError: too old, or not in UTF-8.
    """
    if state.server_version < _MIN_SERVER_VERSION:
        raise IncompatibleSchemaError(
            "Graphile Worker needs PostgreSQL 12 or newer, and this server is version "
            f"{state.server_version // 10000} (server_version_num {state.server_version})"
        )
    if state.encoding != "UTF8":
        raise IncompatibleSchemaError(
            f"the database {state.database!r} has the encoding {state.encoding}, in which not "
            "every payload can be stored; use one that was made with: "
            "createdb -E UTF8 -T template0 NAME"
        )


def refuse_unreadable(state: SchemaState, schema: Schema) -> None:
    """Refuse a role that may not even see which revision the schema is at.

    Raises:
        DatabaseError: with SQLSTATE 42501 and the grant to give.
    """
    if state.ledger_owner is not None and not state.ledger_readable:
        raise DatabaseError(
            f"the role {state.role!r} may not read the schema {schema.name!r}; "
            f"give it the rights of its owner: {grant_owner(state, state.ledger_owner)}",
            sqlstate=_FORBIDDEN,
        )


def refuse_newer(state: SchemaState, schema: Schema) -> None:
    """Refuse a schema with a breaking revision that we do not know.

    Raises:
        IncompatibleSchemaError: naming the revisions.
    """
    if state.breaking_revision is not None and state.breaking_revision > LATEST:
        raise IncompatibleSchemaError(
            f"the schema {schema.name!r} is at revision {state.revision}, which includes the "
            f"breaking revision {state.breaking_revision}, but this version supports up to "
            f"revision {LATEST}; it would be unsafe to continue. Use a newer version of "
            "graphile-worker"
        )


def warn_newer(state: SchemaState, schema: Schema) -> str | None:
    """Say so, in the log and to the caller, when somebody newer has been at the schema."""
    if state.revision is None or state.revision <= LATEST:
        return None
    text = (
        f"the schema {schema.name!r} is at revision {state.revision}, and this version knows "
        f"revisions up to {LATEST}; nothing breaking is among the newer ones, going on"
    )
    _log.warning("%s", text)
    return text


def refuse_blind(state: SchemaState, schema: Schema) -> None:
    """Refuse a role that row level security would show an empty queue, without any error.

    Raises:
        DatabaseError: with SQLSTATE 42501 and the grant to give.
    """
    if state.is_blind and state.jobs_owner is not None:
        raise DatabaseError(
            f"row level security hides all jobs of the schema {schema.name!r} from the role "
            f"{state.role!r}; give it the rights of the owner: "
            f"{grant_owner(state, state.jobs_owner)} (or: alter role {quoted(state.role)} "
            "bypassrls)",
            sqlstate=_FORBIDDEN,
        )


def grant_owner(state: SchemaState, owner: str) -> str:
    """The statement that lets our role do what the owner may."""
    return f"grant {quoted(owner)} to {quoted(state.role)}"


def quoted(identifier: str) -> str:
    """A name as SQL wants it, in statements that people copy from our messages."""
    return '"' + identifier.replace('"', '""') + '"'


def _decode(rows: Sequence[Row]) -> SchemaState:
    return SchemaState(*rows[0])
