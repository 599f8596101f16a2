"""Checks of the workers, of what they hold, and of what none of them takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from graphile_worker.database.schema import Schema
from graphile_worker.doctor.finding import Finding, named, ok, plural, problem, warning
from graphile_worker.doctor.span import span
from graphile_worker.doctor.thresholds import Thresholds
from graphile_worker.doctor.told import told
from graphile_worker.queries.lock_readings import HeldQueue, LockOwner, UnknownIdentifier
from graphile_worker.queries.overview import ActiveWorker
from graphile_worker.recovery.identity import PREFIX

_SWEEP: Final = "graphile-worker sweep-stale-workers --dry-run, then without --dry-run"


def workers(registered: Sequence[ActiveWorker], *, jobs_are_due: bool) -> Finding:
    """Whether anybody works here, and who fell silent."""
    alive = [worker for worker in registered if not worker.is_stale]
    stale = [worker for worker in registered if worker.is_stale]
    if not alive:
        message = "no worker sends heartbeats" + (", and jobs are due" if jobs_are_due else "")
        remedy = (
            "start one: graphile-worker run MODULE:ATTRIBUTE (workers in Node.js, and in Rust "
            "without recovery, send none and are not seen)"
        )
        judge = problem if jobs_are_due else warning
        return judge("workers", message, remedy, [worker.worker_id for worker in stale])
    if stale:
        ids = [worker.worker_id for worker in stale]
        return warning(
            "workers",
            f"{plural(len(stale), 'worker')} of {len(registered)} fell silent: {named(ids)}",
            f"live workers sweep them within a minute or so, unless recovery is off; by hand: "
            f"{_SWEEP}",
            ids,
        )
    return ok("workers", f"{plural(len(alive), 'worker')}, heard of within the last minutes")


def locks(owners: Sequence[LockOwner]) -> Finding:
    """Whether every lock has somebody behind it who can still end the job."""
    bad = [(owner, reason) for owner in owners if (reason := _without_owner(owner))]
    if not bad:
        held = sum(owner.jobs for owner in owners)
        return ok("locks", f"{plural(held, 'job')} locked, by {plural(len(owners), 'owner')}")
    texts = [
        f"{owner.worker_id} ({plural(owner.jobs, 'job')}, for {span(owner.seconds)}, "
        f"job {owner.example}: {reason})"
        for owner, reason in bad
    ]
    ids = " ".join(str(owner.worker_id) for owner, _ in bad)
    return problem(
        "locks",
        f"locks that outlived their owners: {named(texts)}",
        f"{_SWEEP}; if they are certainly dead: graphile-worker force-unlock {ids}",
        texts,
    )


def _without_owner(owner: LockOwner) -> str | None:
    """Why nobody will end the jobs of this owner; None where somebody may."""
    if owner.is_registered and not owner.is_alive:
        return "the worker fell silent"
    if owner.is_younger:
        return "the worker began after the lock"
    if not owner.is_registered and (owner.worker_id or "").startswith(PREFIX):
        return "the worker was taken for dead"
    if not owner.is_registered and owner.old_locks:
        return "older than 4 h, of nobody that is registered"
    return None


def queues(held: Sequence[HeldQueue]) -> Finding:
    """Whether a queue stands still since its lock was left behind."""
    if not held:
        return ok("queues", "no queue is held by somebody who does not run a job of it")
    texts = [
        f"{queue.queue_name!r} (by {queue.locked_by}, for {span(queue.seconds)})" for queue in held
    ]
    owners = " ".join(sorted({str(queue.locked_by) for queue in held}))
    return problem(
        "queues",
        f"{plural(len(held), 'queue')} locked by nobody alive, whose jobs never run: "
        + named(texts),
        f"{_SWEEP}; or graphile-worker force-unlock {owners}",
        [queue.queue_name for queue in held],
    )


def unserved(identifiers: Sequence[str], thresholds: Thresholds) -> Finding:
    """Whether jobs are due of a task that no live worker knows."""
    if not identifiers:
        return ok("unserved", "every task with due jobs is known to a live worker")
    limit = span(thresholds.unserved_for)
    return problem(
        "unserved",
        f"no live worker knows these tasks, whose jobs have been due for {limit}: "
        + named([repr(identifier) for identifier in identifiers]),
        "run a worker with these tasks, or fail or remove the jobs: graphile-worker list "
        f"--identifier {identifiers[0]}",
        identifiers,
    )


def identifiers(
    unknown: Sequence[UnknownIdentifier], schema: Schema, *, told_already: Sequence[str] = ()
) -> Finding:
    """Whether there are names, or jobs, that nobody knows, besides those told by `unserved`."""
    unknown = [one for one in unknown if one.identifier not in told_already]
    if lost := [one for one in unknown if one.identifier is None]:
        return problem(
            "identifiers",
            f"{plural(lost[0].jobs, 'job')} without a task: its row was deleted, so no worker can "
            "ever take them",
            f"delete them: delete from {schema.quoted}._private_jobs as j where not exists "  # noqa: S608 (to be read; the name is quoted)
            f"(select 1 from {schema.quoted}._private_tasks as t where t.id = j.task_id)",
        )
    if not unknown:
        return ok("identifiers", "live workers know every other task in the table")
    texts = [f"{one.identifier!r} ({plural(one.jobs, 'job')})" for one in unknown]
    return warning(
        "identifiers",
        f"no live worker knows: {named(texts)}",
        "run a worker with these tasks; names without jobs go away with: "
        "graphile-worker cleanup gc-task-identifiers",
        [str(one.identifier) for one in unknown],
    )


def crontabs(alive: Iterable[ActiveWorker]) -> Finding:
    """Whether a recurring job is owned by more than one deployment.

    Workers with the same tasks and the same entries are replicas of one deployment. Deployments
    that differ and share an entry add its job once, but with the payload and options of whoever is
    first: which one that is changes from minute to minute.
    """
    owners: dict[str, dict[str, str]] = {}
    for worker in map(told, alive):
        deployment = json.dumps([sorted(worker.tasks), sorted(worker.crons)])
        for identifier in worker.crons:
            owners.setdefault(identifier, {})[deployment] = worker.place
    shared = {identifier: places for identifier, places in owners.items() if len(places) > 1}
    if not shared:
        return ok("crontabs", f"{plural(len(owners), 'entry', 'entries')}, each with one owner")
    texts = [
        f"{identifier!r} by {' and '.join(sorted(places.values()))}"
        for identifier, places in sorted(shared.items())
    ]
    return warning(
        "crontabs",
        f"several deployments own the same entry: {named(texts)}",
        "leave each entry in one deployment, or give it another ?id=; right after a rollout, wait "
        "until the old workers are gone",
        sorted(shared),
    )
