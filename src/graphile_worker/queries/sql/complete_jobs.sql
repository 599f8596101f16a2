-- Deletes jobs, but for those that a worker took within the last four hours; answers with the
-- deleted rows as they were.
select
  j.id, coalesce(t.identifier, ''), q.queue_name, j.payload::text,
  j.priority, :RUN_AT, j.attempts, j.max_attempts, j.last_error, j.key, j.revision, j.flags::text,
  j.created_at, j.updated_at, j.locked_at, j.locked_by,
  case
    when j.locked_at is not null then 'locked'
    when j.attempts >= j.max_attempts then 'failed'
    when j.run_at > now() then 'scheduled'
    else 'ready'
  end
from :GRAPHILE_WORKER_SCHEMA.complete_jobs($1::bigint[]) as j
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
