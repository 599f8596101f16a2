-- Queues that are paused, or wait to be resumed, with the jobs of theirs that are still running.
select
  q.queue_name,
  substr(q.locked_by, strpos(q.locked_by, ':') + 1),
  starts_with(q.locked_by, 'resuming:'),
  array(
    select j.id
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.job_queue_id = q.id and j.locked_at is not null
    order by j.id
  )
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
where (starts_with(q.locked_by, 'paused:') or starts_with(q.locked_by, 'resuming:'))
  and ($1::text is null or q.queue_name = $1::text)
order by q.queue_name
