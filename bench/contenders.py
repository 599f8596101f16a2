"""Who is measured, and how each is set up: the best that its own documentation tells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphile_worker import WorkerOptions

BATCH = 500
SLOTS = 24


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One program in one set-up.

    Attributes:
        name: in the JSON file.
        label: in tables and plots.
        setup: what a reader has to know of how it runs, for the documentation.
        program: which of `installing.find_programs`.
        tables: whose tables it works on; they are made by that program.
        role: what the program is asked to do.
    """

    name: str
    label: str
    setup: str
    program: str
    tables: str
    role: str = "work"
    options: Mapping[str, Any] = field(default_factory=dict)


def everybody() -> list[Contender]:
    """All there are, whether or not they can be measured here."""
    return [*_LIMITS, *_OURS, *_OTHERS]


def contenders() -> list[Contender]:
    """Those of this version: the turbo claim only where it is."""
    return [each for each in everybody() if "claim_mode" not in each.options or _has_claim_mode()]


def by_name(name: str) -> Contender:
    """One of them.

    Raises:
        KeyError: there is none of that name.
    """
    return {each.name: each for each in everybody()}[name]


def _has_claim_mode() -> bool:
    return "claim_mode" in {option.name for option in dataclasses.fields(WorkerOptions)}


_LIMITS = [
    Contender(
        name="raw",
        label="limit: SQL loop",
        setup=f"no worker: claim {BATCH}, delete {BATCH}, on one asyncpg connection",
        program="raw",
        tables="ours",
        options={"batch": BATCH},
    ),
    Contender(
        name="pgbench",
        label="limit: pgbench",
        setup="no worker and no Python: the same two statements, by pgbench with one client",
        program="pgbench",
        tables="ours",
        options={"batch": BATCH},
    ),
    Contender(
        name="sketch",
        label="limit: sketch of a worker",
        setup=f"{SLOTS} slots, {BATCH} claimed ahead, claims and deletes on two connections; "
        "no retries, no fences, no shutdown",
        program="raw",
        tables="ours",
        role="sketch",
        options={"batch": BATCH, "slots": SLOTS},
    ),
]

_LOCAL_QUEUE = {"concurrency": SLOTS, "local_queue": BATCH}

_OURS = [
    Contender(
        name="ours_default",
        label="ours, defaults",
        setup="`WorkerOptions(database_url=…, tasks=[…])`",
        program="ours",
        tables="ours",
    ),
    Contender(
        name="ours_slots",
        label=f"ours, {SLOTS} slots",
        setup=f"`concurrency={SLOTS}`",
        program="ours",
        tables="ours",
        options={"concurrency": SLOTS},
    ),
    Contender(
        name="ours_local_queue",
        label="ours, local queue",
        setup=f"`concurrency={SLOTS}, local_queue=LocalQueueConfig(size={BATCH})`",
        program="ours",
        tables="ours",
        options=_LOCAL_QUEUE,
    ),
    Contender(
        name="ours_turbo",
        label="ours, turbo claim",
        setup=f"`concurrency={SLOTS}, local_queue=LocalQueueConfig(size={BATCH}), "
        'claim_mode="transaction"`',
        program="ours",
        tables="ours",
        options={**_LOCAL_QUEUE, "claim_mode": "transaction"},
    ),
]

_NODE_SLOTS = {"concurrentJobs": SLOTS, "maxPoolSize": SLOTS + 1}

_OTHERS = [
    Contender(
        name="node_default",
        label="Node, defaults",
        setup="graphile-worker from npm, `run({ connectionString, taskList })`: one job at a time",
        program="node",
        tables="node",
    ),
    Contender(
        name="node_slots",
        label=f"Node, {SLOTS} slots",
        setup=f"`concurrentJobs: {SLOTS}, maxPoolSize: {SLOTS + 1}`",
        program="node",
        tables="node",
        options={"worker": _NODE_SLOTS},
    ),
    Contender(
        name="node_local_queue",
        label="Node, local queue",
        setup=f"`concurrentJobs: {SLOTS}, maxPoolSize: {SLOTS + 1}, "
        f"localQueue: {{ size: {BATCH}, refetchDelay: {{ durationMs: 10 }} }}, "
        "completeJobBatchDelay: 0, failJobBatchDelay: 0` (as its own performance test)",
        program="node",
        tables="node",
        options={
            "worker": {
                **_NODE_SLOTS,
                "localQueue": {"size": BATCH, "refetchDelay": {"durationMs": 10}},
                "completeJobBatchDelay": 0,
                "failJobBatchDelay": 0,
            }
        },
    ),
    Contender(
        name="rust_default",
        label="Rust, defaults",
        setup="the crate graphile_worker, `WorkerOptions::default()`, release build",
        program="rust",
        tables="rust",
    ),
    Contender(
        name="rust_local_queue",
        label="Rust, local queue",
        setup=f"`concurrency({SLOTS})`, `LocalQueueConfig` with size {BATCH}, both batch delays "
        "5 ms as its documentation shows",
        program="rust",
        tables="rust",
        options={**_LOCAL_QUEUE, "batch_delay_ms": 5},
    ),
    Contender(
        name="pgqueuer",
        label="pgqueuer",
        setup=f"2 managers in a process on uvloop, `batch_size={BATCH}`: the best of 1, 2 and 5, "
        "and of batches of 10 to 1,000; tables as its `install` makes them",
        program="pgqueuer",
        tables="pgqueuer",
        options={"batch": BATCH, "managers": 2},
    ),
    Contender(
        name="procrastinate",
        label="procrastinate",
        setup=f'`concurrency={SLOTS}, delete_jobs="always"`, a pool of {SLOTS + 2} connections',
        program="procrastinate",
        tables="procrastinate",
        options={"concurrency": SLOTS},
    ),
]
