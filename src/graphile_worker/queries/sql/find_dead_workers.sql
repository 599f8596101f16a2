-- Workers that fell silent, and owners of old locks that are not registered.
--
-- $2, $3: seconds of silence, and of silence with a resilient job ($4: flags). $5: whether
-- unregistered owners count that no worker of ours ever was; $6: how ids of ours begin: they have
-- registered, so they were swept, and claimed something before they noticed. $7: whether to look
-- for unregistered owners at all, which reads the whole table. A paused queue is locked by nobody.
select w.id
from :GRAPHILE_WORKER_SCHEMA._private_workers as w
where w.id <> $1::text
  and w.last_heartbeat_at < now() - $2::double precision * interval '1 second'
  and (
    w.last_heartbeat_at < now() - $3::double precision * interval '1 second'
    or not exists (
      select 1
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.locked_by = w.id and j.flags ?| $4::text[]
    )
  )
union
select locks.locked_by
from (
  select j.locked_by, j.locked_at
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where $7::boolean
  union all
  select q.locked_by, q.locked_at
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where $7::boolean
) as locks
where locks.locked_by is not null
  and locks.locked_by <> $1::text
  and locks.locked_at < now() - $2::double precision * interval '1 second'
  and ($5::boolean or starts_with(locks.locked_by, $6::text))
  and not starts_with(locks.locked_by, 'paused:')
  and not exists (
    select 1 from :GRAPHILE_WORKER_SCHEMA._private_workers as w where w.id = locks.locked_by
  )
