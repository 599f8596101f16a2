"""The plain statements that a queue on these tables cannot do without."""

from __future__ import annotations

CLAIM = """
with due as (
  select ctid from graphile_worker._private_jobs
  where is_available = true and run_at <= now() and task_id = {task_id} and job_queue_id is null
  order by priority, run_at limit {limit} for update skip locked
)
update graphile_worker._private_jobs as j
set attempts = j.attempts + 1, locked_by = 'raw', locked_at = now()
from due where j.ctid = due.ctid
returning j.id, j.task_id, j.job_queue_id, j.payload::text, j.attempts, j.max_attempts
"""
"""`limit` and `task_id` are written into the text: with parameters the planner guesses."""

DELETE = "delete from graphile_worker._private_jobs where id = any ({ids}) and locked_by = 'raw'"

TASK_ID = "select id from graphile_worker._private_tasks where identifier = 'noop'"

SETTINGS = {
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""What keeps these statements on their index; a worker of ours sets the same."""


def pgbench_script(task_id: int, limit: int) -> str:
    """The same claim and delete, one after the other, by a program in C."""
    claim = CLAIM.format(task_id=task_id, limit=limit).replace(
        "returning j.id, j.task_id, j.job_queue_id, j.payload::text, j.attempts, j.max_attempts",
        "returning j.id",
    )
    delete = DELETE.format(ids=":ids::bigint[]")
    return f"with claimed as ({claim}) select array_agg(id) as ids from claimed \\gset\n{delete};\n"
