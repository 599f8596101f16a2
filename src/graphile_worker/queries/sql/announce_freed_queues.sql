-- Tells all workers that a queue of those we freed has a job that is due, if it still is. Without
-- our index a look for the job could read the whole table; then a free queue is reason enough.
select pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":' || count(*)::text || '}')
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
where q.id = any ($1::integer[])
  and q.is_available = true
  and (
    not $2::boolean
    or (
      select j.run_at
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.job_queue_id = q.id
        and j.is_available = true
        and j.run_at <= coalesce($3::timestamptz, now())
      order by j.priority, j.run_at, j.id
      limit 1
    ) is not null
  )
having count(*) > 0
