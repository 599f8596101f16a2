-- The job that keeps a queue locked. No index finds it: the table is read, and only where the queue is
-- locked. $2 are jobs of which it is probably one; null for all.
select held.id, coalesce(t.identifier, ''), held.locked_at, held.locked_by
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
cross join lateral (
  select j.id, j.task_id, j.locked_at, j.locked_by
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.locked_at is not null
    and j.job_queue_id = q.id
    and ($2::bigint[] is null or j.id = any ($2::bigint[]))
  order by j.locked_at
  limit 1
) as held
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = held.task_id
where q.queue_name = $1::text and q.is_available = false
