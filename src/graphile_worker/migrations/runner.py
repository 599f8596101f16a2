"""Bring a schema to the newest revision, safe against others who do the same."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphile_worker.database.conflicts import CONFLICTS, MOST_TRIES
from graphile_worker.database.executor import Connection, Database
from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, nothing
from graphile_worker.errors import (
    ConnectionLostError,
    DatabaseError,
    LockedJobsError,
    MigrationError,
)
from graphile_worker.migrations import catalog
from graphile_worker.migrations.catalog import BREAKING, LATEST, LOCKED_JOBS, REGISTRY, Step
from graphile_worker.migrations.queue_index import build_index, unusable
from graphile_worker.migrations.state import (
    SchemaState,
    grant_owner,
    quoted,
    read_state,
    refuse_blind,
    refuse_newer,
    refuse_server,
    refuse_unreadable,
    warn_newer,
)
from graphile_worker.runtime.log_fields import log_fields
from graphile_worker.runtime.retry import Backoff

_log = logging.getLogger(__name__)

_NODES_19: Final = 19
_FORBIDDEN: Final = "42501"
_CLASHES: Final = frozenset({"23505", "42P06", "42P07", "42710"})
"""Somebody else has just made what we make; `if not exists` does not prevent all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationResult:
    """What `migrate` found and did.

    Attributes:
        before: the revision the schema was at; 0 when there was none.
        after: the revision it is at now.
        applied: the revisions this call applied; others may have applied some at the same time.
            Where Node's revision 20 came first, ours is added to it and not listed.
        warnings: what an operator should know; also logged.
        has_queue_index: whether our index is there and valid.
    """

    before: int
    after: int
    applied: tuple[int, ...]
    warnings: tuple[str, ...]
    has_queue_index: bool


async def migrate(
    database: Database, schema: Schema, *, builds_index: bool = True
) -> MigrationResult:
    """Make the schema, or bring it to the newest revision; one query when nothing is to be done.

    Every step is a transaction of its own, so a failure leaves the schema at the revision that was
    reached. Any number of processes may do this at the same time.

    Args:
        database: of ours.
        schema: where the tables are.
        builds_index: whether our index is built on a table that others may be using; a new table
            has it in any case.

    Raises:
        IncompatibleSchemaError: the schema is too new, or the server is not one for us.
        LockedJobsError: revision 11 is to be applied, and jobs are being run.
        MigrationError: a step failed; the message says which, and which grant is missing.
        DatabaseError: this role may not read the schema, or would see no rows (42501).
        ConnectionLostError: the connection ended; safe to call again.
    """
    async with database.connection() as connection:
        return await _migrate(connection, schema, builds_index=builds_index)


async def _migrate(
    connection: Connection, schema: Schema, *, builds_index: bool
) -> MigrationResult:
    """Look, do the next step, look again: what others do meanwhile is seen in the next look."""
    before = state = await _look(connection, schema)
    applied: list[int] = []
    retries, delays = 0, Backoff().delays()
    while (step := _next_step(state)) is not None:
        try:
            done = await _apply(connection, schema, step)
        except DatabaseError as error:
            if retries == MOST_TRIES or not _may_retry(step, error):
                raise _explained(error, step, state, schema) from error
            retries += 1
            await asyncio.sleep(next(delays))
            done = False
        if done and step.claims is not None:
            applied += range(step.claims, step.reaches + 1)
        state = await _look(connection, schema)
    refuse_blind(state, schema)
    warning = None
    if state.queue_index is None and builds_index:
        warning = await build_index(connection, schema)
        state = await _look(connection, schema)
    return _result(before, state, tuple(applied), warning, schema)


async def _look(connection: Connection, schema: Schema) -> SchemaState:
    state = await read_state(connection, schema)
    refuse_server(state)
    refuse_unreadable(state, schema)
    refuse_newer(state, schema)
    return state


def _next_step(state: SchemaState) -> Step | None:
    """Only the highest revision counts: gaps below it are nobody's to fill."""
    if state.ledger_owner is None:
        return catalog.install(schema_exists=state.schema_exists)
    revision = state.revision or 0
    if not state.ledger_has_breaking:
        return catalog.add_breaking(revision)
    if revision == 0:
        return catalog.baseline()
    if revision < LATEST:
        return catalog.upgrade(revision + 1)
    if revision == REGISTRY and not state.has_registry:
        return catalog.registry(revision)
    return None


async def _apply(connection: Connection, schema: Schema, step: Step) -> bool:
    """Do one step in one transaction; False when somebody else has done it."""
    async with connection.transaction():
        # Waits for a runner that is at this revision, and goes on only if that one gave up.
        if step.claims is not None and not await connection.run(_claim(schema, step.claims)):
            return False
        await connection.script(schema.fill(step.text))
        if step.announced:
            await connection.run(_announce(step.reaches))
    return True


def _claim(schema: Schema, revision: int) -> Statement[bool]:
    """Insert the ledger row; the first to do so does the step."""
    return Statement(
        "claim_revision",
        schema.fill(
            "insert into :GRAPHILE_WORKER_SCHEMA.migrations (id, breaking) "
            "values ($1::integer, $2::boolean) on conflict (id) do nothing returning id"
        ),
        (revision, revision in BREAKING),
        _any_row,
    )


def _any_row(rows: Sequence[Row]) -> bool:
    return bool(rows)


def _announce(revision: int) -> Statement[None]:
    """Workers that listen stop when the revision is a breaking one."""
    notice = {"migrationNumber": revision, "breaking": revision in BREAKING}
    return Statement(
        "announce_revision",
        "select pg_notify('worker:migrate', $1::text)",
        (json.dumps(notice, separators=(",", ":")),),
        nothing,
    )


def _may_retry(step: Step, error: DatabaseError) -> bool:
    """A clash is harmless only where we make what anybody may have made; see the ledger first."""
    if error.sqlstate in CONFLICTS:
        return True
    return step.claims is None and error.sqlstate in _CLASHES


def _explained(
    error: DatabaseError, step: Step, state: SchemaState, schema: Schema
) -> DatabaseError:
    """The same failure, with what to do about it."""
    if isinstance(error, ConnectionLostError):
        return error
    if error.sqlstate == LOCKED_JOBS and step.claims is not None:
        return LockedJobsError(
            f"revision {step.reaches} of the schema {schema.name!r} rebuilds the job tables and "
            f"cannot pass while jobs are locked ({error}). Stop all workers, wait for their jobs "
            "to end, and migrate again. If no worker is running, a crashed one left these locks: "
            f"set locked_at and locked_by to null in {schema.quoted}.jobs",
            sqlstate=error.sqlstate,
        )
    if error.sqlstate == _FORBIDDEN:
        return MigrationError(
            f"the role {state.role!r} may not migrate the schema {schema.name!r} ({error}); "
            f"as an administrator: {_missing_grant(state, schema)}",
            sqlstate=error.sqlstate,
        )
    return MigrationError(
        f"the schema {schema.name!r} could not be brought from revision {state.revision or 0} to "
        f"{step.reaches}, and stays where it was: {error}",
        sqlstate=error.sqlstate,
        constraint=error.constraint,
    )


def _missing_grant(state: SchemaState, schema: Schema) -> str:
    role = quoted(state.role)
    if not state.schema_exists:
        return f"grant create on database {quoted(state.database)} to {role}"
    if state.revision is not None and state.ledger_owner is not None:
        return grant_owner(state, state.jobs_owner or state.ledger_owner)
    grant = f"grant usage, create on schema {schema.quoted} to {role}"
    if state.ledger_owner is None:
        return grant
    return f"{grant}; grant select, insert on {schema.quoted}.migrations to {role}"


def _result(
    before: SchemaState,
    after: SchemaState,
    applied: tuple[int, ...],
    index_warning: str | None,
    schema: Schema,
) -> MigrationResult:
    warnings: list[str] = []
    if index_warning is None and after.queue_index is False:
        index_warning = unusable(schema)
    if index_warning is not None:
        warnings.append(index_warning)
        _log.warning("%s", index_warning)
    if (newer := warn_newer(after, schema)) is not None:
        warnings.append(newer)
    if after.breaking_revision == _NODES_19 and after.has_registry and not before.has_registry:
        warnings.append(
            f"the schema {schema.name!r} was at Node's revision {before.revision}: the registry of "
            "workers was added, and Node's functions were kept. Adding a job for a key that is "
            "being claimed at that moment may store nothing (JobNotAddedError)"
        )
        _log.warning("%s", warnings[-1])
    if applied:
        revisions = {"before": before.revision or 0, "after": after.revision}
        fields = {"schema": schema.name, **revisions}
        log_fields(_log, logging.INFO, "schema migrated", fields=fields)
    return MigrationResult(
        before=before.revision or 0,
        after=after.revision or 0,
        applied=applied,
        warnings=tuple(warnings),
        has_queue_index=after.queue_index is True,
    )
