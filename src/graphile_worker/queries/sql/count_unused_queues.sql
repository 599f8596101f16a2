-- How many queues delete_unused_queues.sql would delete; with $1, if jobs that have no attempts left
-- were deleted before.
select count(*)
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
where q.locked_at is null
  and not exists (
    select 1 from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.job_queue_id = q.id
      and not ($1::boolean and j.locked_at is null and j.attempts >= j.max_attempts)
  )
