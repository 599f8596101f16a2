-- Queues that are locked although nobody runs a job of theirs: no job in them is locked by the
-- queue's owner, or the owner is a registered worker that has been silent for $1 seconds. A claim
-- locks queue and job in one statement and a release frees them in one, so the half a minute is for
-- other implementations. Paused queues are meant to be locked.
select
  q.queue_name,
  q.locked_by,
  extract(epoch from now() - q.locked_at)::double precision
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
left join :GRAPHILE_WORKER_SCHEMA._private_workers as w on w.id = q.locked_by
where q.is_available = false
  and q.locked_at < now() - interval '30 seconds'
  and not starts_with(coalesce(q.locked_by, ''), 'paused:')
  and (
    w.last_heartbeat_at < now() - $1::double precision * interval '1 second'
    or not exists (
      select 1
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.job_queue_id = q.id and j.locked_by is not distinct from q.locked_by
        and j.is_available = false and j.locked_at is not null
    )
  )
order by q.queue_name
