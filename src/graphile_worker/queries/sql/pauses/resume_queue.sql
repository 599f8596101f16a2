-- Frees a paused queue, unless a job of it is still running: then two would run at once, so it is
-- marked, and freed by whoever finds the job gone. There is no index of jobs by queue.
with queue as materialized (
  select
    q.id,
    exists (
      select 1
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.job_queue_id = q.id and j.locked_at is not null
    ) as is_running
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.queue_name = $1::text
    and (starts_with(q.locked_by, 'paused:') or starts_with(q.locked_by, 'resuming:'))
)
update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
set locked_at = case when queue.is_running then q.locked_at end,
    locked_by = case when queue.is_running then 'resuming:' || $2::text end
from queue
where q.id = queue.id
returning queue.is_running
