-- Who holds locks, of jobs or of queues; a paused queue is held by nobody. There is no index on
-- locked_by.
select
  locks.locked_by,
  count(*) filter (where locks.is_job),
  count(*) filter (where not locks.is_job)
from (
  select j.locked_by, true as is_job
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.locked_by is not null
  union all
  select q.locked_by, false
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.locked_by is not null
    and not starts_with(q.locked_by, 'paused:')
    and not starts_with(q.locked_by, 'resuming:')
) as locks
group by locks.locked_by
order by locks.locked_by
