"""The workers that are known, and what follows from them for jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from graphile_worker.admin.service.groups import Owner
from graphile_worker.client.operations.looking import tasks_of
from graphile_worker.payloads.shapes import is_list, is_mapping
from graphile_worker.queries.admin_jobs import Workers
from graphile_worker.queries.overview import ActiveWorker
from graphile_worker.queries.pauses import NOBODYS


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMember:
    """A worker, known by its heartbeats, by its locks, or by both."""

    worker_id: str
    kind: str
    """`python`, `node`, `rust` or whatever it calls itself; `unknown` where it does not say."""
    state: str
    """`alive`, `stale` (it fell silent), or `unregistered` (it is known by its locks alone)."""
    host: str | None = None
    pid: int | None = None
    version: str | None = None
    started_at: datetime | None = None
    last_heartbeat_at: datetime | None = None
    concurrency: int | None = None
    tasks: list[str] | None = None
    """What it can run; None when it does not say."""
    crons: list[str] | None = None
    jobs: int = 0
    """Jobs that it holds."""
    queues: list[str] = field(default_factory=list[str])
    """Queues that it holds."""
    locked_since: datetime | None = None


def members(registered: Sequence[ActiveWorker], owners: Iterable[Owner]) -> list[FleetMember]:
    """All workers: those that send heartbeats, then other owners of locks.

    What keeps a queue paused is no worker.
    """
    by_id = {owner.worker_id: owner for owner in owners if not is_pause(owner.worker_id)}
    found = [_registered(worker, by_id.get(worker.worker_id)) for worker in registered]
    named = {worker.worker_id for worker in registered}
    found += [
        FleetMember(worker_id=id_, kind="unknown", state="unregistered", **_locks(owner))
        for id_, owner in by_id.items()
        if id_ not in named
    ]
    return found


def known_workers(fleet: Sequence[FleetMember]) -> Workers:
    """What the states of jobs depend on.

    The tasks are only known while every worker that may be alive tells its own.
    """
    alive = [member for member in fleet if member.state != "stale"]
    return Workers(
        dead=[member.worker_id for member in fleet if member.state == "stale"],
        claimed=None
        if any(member.tasks is None for member in alive)
        else sorted({task for member in alive for task in member.tasks or ()}),
    )


def handled(fleet: Sequence[FleetMember]) -> Mapping[str, int] | None:
    """How many live workers know each task; None when not all of them tell."""
    alive = [member for member in fleet if member.state != "stale"]
    if any(member.tasks is None for member in alive):
        return None
    return Counter(task for member in alive for task in member.tasks or ())


def is_pause(owner: str) -> bool:
    """Whether this owner of a queue is no worker, but somebody's wish that the queue rests."""
    return owner.startswith(NOBODYS)


def _registered(worker: ActiveWorker, owner: Owner | None) -> FleetMember:
    said: Mapping[str, Any] = worker.metadata if is_mapping(worker.metadata) else {}
    crons = said.get("crons")
    return FleetMember(
        worker_id=worker.worker_id,
        kind=_text(said.get("kind")) or "unknown",
        state="stale" if worker.is_stale else "alive",
        host=_text(said.get("host")),
        pid=_number(said.get("pid")),
        version=_text(said.get("version")),
        started_at=worker.started_at,
        last_heartbeat_at=worker.last_heartbeat_at,
        concurrency=_number(said.get("concurrency")),
        tasks=tasks_of(worker),
        crons=[name for name in crons if isinstance(name, str)] if is_list(crons) else None,
        **_locks(owner),
    )


def _locks(owner: Owner | None) -> dict[str, Any]:
    if owner is None:
        return {}
    return {"jobs": owner.jobs, "queues": sorted(owner.queues), "locked_since": owner.since}


def _text(value: object) -> str | None:
    """Metadata is whatever a worker wrote there."""
    return value[:200] if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
