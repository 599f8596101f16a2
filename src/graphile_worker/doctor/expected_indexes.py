"""The indexes that the migrations make, by what they do: names differ between lineages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graphile_worker.database.schema import Schema
from graphile_worker.migrations.queue_index import NAME


@dataclass(frozen=True, slots=True)
class ExpectedIndex:
    """An index that has to be there."""

    table: str
    name: str
    definition: str
    """As `pg_get_indexdef` writes it, from the method on."""
    unique: bool = False
    is_ours: bool = False
    """Not of the schema that all implementations share: claims work without, and are slower."""

    def statement(self, schema: str) -> str:
        """The SQL that makes it, without stopping the workers."""
        kind = "unique index" if self.unique else "index"
        where = f"{Schema(schema).quoted}.{self.table}"
        return f"create {kind} concurrently {self.name} on {where} using {self.definition}"


_JOBS: Final = "_private_jobs"
_QUEUES: Final = "_private_job_queues"
_TASKS: Final = "_private_tasks"

EXPECTED: Final = (
    ExpectedIndex(_JOBS, "jobs_pkey1", "btree (id)", unique=True),
    ExpectedIndex(_JOBS, "jobs_key_key1", "btree (key)", unique=True),
    ExpectedIndex(
        _JOBS,
        "jobs_main_index",
        "btree (priority, run_at) INCLUDE (id, task_id, job_queue_id) WHERE (is_available = true)",
    ),
    ExpectedIndex(
        _JOBS,
        "jobs_no_queue_index",
        "btree (priority, run_at) INCLUDE (id, task_id) "
        "WHERE ((is_available = true) AND (job_queue_id IS NULL))",
    ),
    ExpectedIndex(
        _JOBS,
        NAME,
        "btree (job_queue_id, priority, run_at, id) INCLUDE (task_id) "
        "WHERE ((is_available = true) AND (job_queue_id IS NOT NULL))",
        is_ours=True,
    ),
    ExpectedIndex(_QUEUES, "job_queues_pkey1", "btree (id)", unique=True),
    ExpectedIndex(_QUEUES, "job_queues_queue_name_key", "btree (queue_name)", unique=True),
    ExpectedIndex(_TASKS, "tasks_pkey", "btree (id)", unique=True),
    ExpectedIndex(_TASKS, "tasks_identifier_key", "btree (identifier)", unique=True),
    ExpectedIndex(
        "_private_known_crontabs", "known_crontabs_pkey", "btree (identifier)", unique=True
    ),
    ExpectedIndex("_private_workers", "_private_workers_pkey", "btree (id)", unique=True),
    ExpectedIndex(
        "_private_workers", "_private_workers_last_heartbeat_at_idx", "btree (last_heartbeat_at)"
    ),
    ExpectedIndex("migrations", "migrations_pkey", "btree (id)", unique=True),
)
"""Of revision 20, and ours; a test compares it with what the migrations make."""
