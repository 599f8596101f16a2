"""Checks of tables, indexes and sequences."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from graphile_worker.database.schema import Schema
from graphile_worker.doctor.expected_indexes import EXPECTED
from graphile_worker.doctor.finding import Finding, named, ok, plural, problem, warning
from graphile_worker.doctor.span import span
from graphile_worker.doctor.thresholds import Thresholds
from graphile_worker.queries.server_readings import (
    IndexDefinition,
    SequenceReading,
    SnapshotHolder,
    TableReading,
)

_TIMES_LIVE: Final = 5
"""So many dead rows for each live one are too many: the table of jobs is empty most of the time."""


def vacuum(tables: Sequence[TableReading], thresholds: Thresholds, *, autovacuum: bool) -> Finding:
    """Whether vacuum keeps up: every job that is done leaves dead rows."""
    if not autovacuum:
        return problem(
            "vacuum",
            "autovacuum is off on this server: rows of jobs that are done are never removed, and "
            "claims become slower with each of them",
            "alter system set autovacuum = on; select pg_reload_conf()",
        )
    if off := [table for table in tables if not table.autovacuum]:
        names = [table.table for table in off]
        return problem(
            "vacuum",
            f"autovacuum is off for {named(names)}",
            "; ".join(f"alter table {t.qualified} reset (autovacuum_enabled)" for t in off),
            names,
        )
    if old := [t for t in tables if t.transaction_age >= thresholds.transaction_age]:
        return _too_old(old, thresholds)
    if full := [t for t in tables if _is_full(t, thresholds)]:
        return warning(
            "vacuum",
            "vacuum is behind: " + named([_dead(table) for table in full]),
            "; ".join(f"vacuum analyze {t.qualified}" for t in full)
            + "; then see what holds vacuum back (the check 'transactions'), and lower "
            "autovacuum_vacuum_scale_factor of these tables",
            [table.table for table in full],
        )
    dead = sum(table.dead_rows for table in tables)
    return ok("vacuum", f"{plural(dead, 'dead row')} in {plural(len(tables), 'table')}")


def transactions(holders: Sequence[SnapshotHolder], thresholds: Thresholds) -> Finding:
    """Whether something keeps vacuum from the rows of jobs that are done."""
    if not holders:
        limit = span(thresholds.old_transaction)
        return ok("transactions", f"nothing has been holding vacuum back for {limit}")
    texts = [
        holder.what if holder.seconds < 0 else f"{holder.what} for {span(holder.seconds)}"
        for holder in holders
    ]
    message = f"vacuum is held back by {named(texts)}: claims become slower meanwhile"
    remedy = (
        "end them: select pg_terminate_backend(PID), rollback prepared, "
        "pg_drop_replication_slot(NAME); and set idle_in_transaction_session_timeout"
    )
    worst = max(holder.seconds for holder in holders)
    if worst >= thresholds.stuck_transaction:
        return problem("transactions", message, remedy, texts)
    return warning("transactions", message, remedy, texts)


def indexes(found: Sequence[IndexDefinition], schema: str, tables: Sequence[str]) -> Finding:
    """Whether every index of the migrations is there and used; those of others do not matter."""
    useful = {(index.table, index.unique, index.definition) for index in found if index.valid}
    broken = [f"{index.name} (invalid)" for index in found if not index.valid]
    missing = [
        index
        for index in EXPECTED
        if index.table in tables and (index.table, index.unique, index.definition) not in useful
    ]
    if shared := [index for index in missing if not index.is_ours]:
        names = [index.name for index in shared]
        return problem(
            "indexes",
            f"{plural(len(shared), 'index', 'indexes')} of the schema missing: {named(names)}",
            "; ".join(index.statement(schema) for index in shared),
            [*names, *broken],
        )
    if missing:
        names = [index.name for index in missing]
        given_up = [index.name for index in found if index.name in names]
        drop = "".join(f"drop index {Schema(schema).quoted}.{name}; then " for name in given_up)
        return warning(
            "indexes",
            f"{named(names)} is missing, or was given up: claims are slow where many jobs are in "
            "queues",
            f"{drop}run: graphile-worker --schema {shlex.quote(schema)} migrate",
            [*names, *broken],
        )
    if broken:
        return warning(
            "indexes",
            f"PostgreSQL does not use {named(broken)}",
            "; ".join(
                f"reindex index concurrently {Schema(schema).quoted}.{name.split()[0]}"
                for name in broken
            ),
            broken,
        )
    count = plural(len(found), "index", "indexes")
    return ok("indexes", f"{count}, all of the schema's among them")


def sequences(readings: Sequence[SequenceReading], thresholds: Thresholds) -> Finding:
    """Whether there are ids left: at the end of a sequence no job can be added."""
    used = sorted(((r.last_value / r.max_value, r) for r in readings), key=lambda pair: -pair[0])
    worst = [(part, r) for part, r in used if part >= thresholds.sequence_used]
    if not worst:
        return ok("sequences", f"{plural(len(readings), 'sequence')}, far from their ends")
    names = [f"{r.name} at {r.last_value:,} of {r.max_value:,}" for _, r in worst]
    message = "ids come to an end, and then no job can be added: " + named(names)
    remedy = (
        "delete what is not used (graphile-worker cleanup), then begin again where ids are free, "
        "below the ones in use: alter sequence "
        + " restart with N; alter sequence ".join(r.qualified for _, r in worst)
        + " restart with N"
    )
    if worst[0][0] >= thresholds.sequence_problem:
        return problem("sequences", message, remedy, names)
    return warning("sequences", message, remedy, names)


def _too_old(old: Sequence[TableReading], thresholds: Thresholds) -> Finding:
    names = [f"{table.table} ({table.transaction_age:,} transactions)" for table in old]
    message = f"not frozen for long: {named(names)}; PostgreSQL stops at two thousand million"
    remedy = "; ".join(f"vacuum freeze {table.qualified}" for table in old)
    if max(table.transaction_age for table in old) >= thresholds.transaction_age_problem:
        return problem("vacuum", message, remedy, names)
    return warning("vacuum", message, remedy, names)


def _is_full(table: TableReading, thresholds: Thresholds) -> bool:
    return table.dead_rows >= max(thresholds.dead_rows, _TIMES_LIVE * table.live_rows)


def _dead(table: TableReading) -> str:
    since = table.seconds_since_vacuum
    last = "never vacuumed" if since is None else f"vacuumed {span(since)} ago"
    return f"{table.table} has {table.dead_rows:,} dead rows, {table.live_rows:,} live, {last}"
