"""Checks of the server, the schema, and the way to it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphile_worker.doctor.finding import Finding, named, ok, plural, problem, warning
from graphile_worker.doctor.span import span
from graphile_worker.doctor.thresholds import Thresholds
from graphile_worker.doctor.told import told
from graphile_worker.migrations.catalog import BASELINE, LATEST
from graphile_worker.migrations.state import SchemaState, grant_owner
from graphile_worker.queries.overview import ActiveWorker
from graphile_worker.queries.server_readings import ServerReading

_OLDEST_SERVER: Final = 120000
_OLDEST_SUPPORTED: Final = 140000
"""Older ones get no fixes from the PostgreSQL project any more."""

_TO_READ: Final = ("usage on schema ", "select on ")
"""How rights begin, in the words of `grant`, without which nothing can be seen."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The database's clock minus this machine's, in seconds, and how wrong that can be."""

    difference: float
    uncertainty: float
    """Half of the time that the question took."""


def server(reading: ServerReading, encoding: str) -> Finding:
    """Version, encoding, and whether it can be written to."""
    what = f"PostgreSQL {reading.version}, database {reading.database!r}, role {reading.role!r}"
    if reading.version_number < _OLDEST_SERVER:
        return problem("server", what, "use PostgreSQL 12 or newer, best a supported version")
    if encoding != "UTF8":
        return problem(
            "server",
            f"{what}, encoding {encoding}, in which not every payload can be stored",
            "use a database that was made with: createdb -E UTF8 -T template0 NAME",
        )
    if reading.is_standby:
        return problem(
            "server",
            f"{what}: a standby, which cannot be written to",
            "connect to the primary, with several hosts in the URL and "
            "target_session_attrs=read-write",
        )
    if reading.version_number < _OLDEST_SUPPORTED:
        return warning(
            "server",
            f"{what}, which gets no fixes from the PostgreSQL project any more",
            "plan an upgrade of PostgreSQL",
        )
    return ok("server", what)


def schema(state: SchemaState, name: str, *, rust_lineage: bool) -> Finding:
    """Whether the schema is there, its revision, and whose migrations made it."""
    migrate = f"graphile-worker --schema {shlex.quote(name)} migrate"
    if state.ledger_owner is not None and not state.ledger_readable:
        grant = grant_owner(state, state.ledger_owner)
        return problem("schema", f"the role {state.role!r} may not read {name!r}", grant)
    if state.revision is None:
        return problem("schema", f"there is no schema {name!r} of ours", f"run: {migrate}")
    lineage = "Rust and Python" if rust_lineage else "Node.js"
    what = f"revision {state.revision} of {LATEST}, functions of the {lineage} lineage"
    if fault := _unfit(state):
        return problem("schema", f"{what}: {fault[0]}", fault[1] or f"run: {migrate}")
    if state.revision < LATEST:
        return warning("schema", what, f"run: {migrate}")
    if state.revision > LATEST:
        return warning("schema", f"{what}: newer than this version", "use a newer graphile-worker")
    return ok("schema", what)


def _unfit(state: SchemaState) -> tuple[str, str | None] | None:
    """Why we cannot work with a schema, and the remedy where that is not to migrate."""
    if state.breaking_revision is not None and state.breaking_revision > LATEST:
        newer = "use a newer version of graphile-worker"
        return f"it has the breaking revision {state.breaking_revision}", newer
    if state.revision is not None and state.revision < BASELINE:
        return "too old for this version", None
    if not state.has_registry:
        return "there is no registry of workers, so nobody can tell who is alive", None
    return None


def rights(state: SchemaState, missing: Sequence[str], *, only_reads: bool = False) -> Finding:
    """Whether this role may do what a worker does, or, where it `only_reads`, see it."""
    if state.is_blind and state.jobs_owner is not None:
        return problem(
            "rights",
            f"row level security hides all jobs from the role {state.role!r}",
            f"{grant_owner(state, state.jobs_owner)}, or: alter role … bypassrls",
        )
    if only_reads:
        missing = [right for right in missing if right.startswith(_TO_READ)]
    if missing:
        owner = state.jobs_owner or state.ledger_owner
        return problem(
            "rights",
            f"the role {state.role!r} lacks {plural(len(missing), 'right')}: {named(missing)}",
            "give it the rights of the owner: "
            + (grant_owner(state, owner) if owner else "grant OWNER to ROLE"),
            missing,
        )
    does = "read all there is" if only_reads else "do all that a worker does"
    return ok("rights", f"the role {state.role!r} may {does}")


def connections(reading: ServerReading, workers: Sequence[ActiveWorker]) -> Finding:
    """Whether all that the live workers may open fits into what the server gives this role."""
    fleet = [told(worker) for worker in workers]
    said = [one.connections for one in fleet if one.connections is not None]
    # One of those that would watch the queue does.
    wanted = sum(said) + any(one.watches_queue for one in fleet)
    least = min(reading.limits, key=lambda limit: limit.most)
    tightest = min(reading.limits, key=lambda limit: limit.most - limit.others)
    silent = len(fleet) - len(said)
    unsaid = f"; {silent} did not say how many" if silent else ""
    what = f"{plural(len(said), 'worker')} may open {plural(wanted, 'connection')}"
    remedy = (
        "lower --max-pg-conn of the workers or their number, raise max_connections, or put a "
        "pooler in between (see docs/operations/deployment.md)"
    )
    if wanted > least.most:
        return problem("connections", f"{what} of {least.most}{unsaid}", remedy)
    if wanted + tightest.others > tightest.most:
        others = f", beside {plural(tightest.others, 'other session')}"
        return warning("connections", f"{what} of {tightest.most}{unsaid}{others}", remedy)
    return ok("connections", f"{what} of {least.most}{unsaid}")


def notifications(seconds: float | None, thresholds: Thresholds) -> Finding:
    """Whether a NOTIFY reached a LISTEN.

    Args:
        seconds: how long it took; None: it did not come.
        thresholds: how long it may take.
    """
    if seconds is None:
        return problem(
            "notifications",
            "a notification did not arrive within "
            f"{span(thresholds.notification_within)}: a pooler in transaction mode stands between, "
            "so workers find new jobs by polling alone",
            "name PostgreSQL itself with --direct-database-url, or use a pooler in session mode",
        )
    return ok("notifications", f"NOTIFY reaches LISTEN, in {seconds * 1000:.0f} ms")


def clock(reading: ClockReading, thresholds: Thresholds) -> Finding:
    """Whether this machine and the database agree on the time."""
    off = max(0.0, abs(reading.difference) - reading.uncertainty)
    if off < thresholds.clock_difference:
        return ok("clock", "this machine and the database agree on the time")
    side = "behind" if reading.difference > 0 else "ahead of"
    message = f"this machine is {span(off)} {side} the database"
    remedy = "let NTP set both clocks; do not use --use-local-time until then"
    if off >= thresholds.clock_problem:
        return problem("clock", message, remedy)
    return warning("clock", message, remedy)
