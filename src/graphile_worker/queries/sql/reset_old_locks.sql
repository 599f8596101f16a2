-- Frees what is locked for more than four hours, as the Node.js workers do, but neither what belongs
-- to a worker that is alive ($1: seconds of silence) nor paused queues. Attempts stay as they are.
with alive as materialized (
  select w.id
  from :GRAPHILE_WORKER_SCHEMA._private_workers as w
  where w.last_heartbeat_at >= now() - $1::double precision * interval '1 second'
), old_jobs as materialized (
  select j.id
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.locked_at < now() - interval '4 hours'
    and not exists (select 1 from alive where alive.id = j.locked_by)
  for update of j skip locked
), old_queues as materialized (
  select q.id
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.locked_at < now() - interval '4 hours'
    and not starts_with(coalesce(q.locked_by, ''), 'paused:')
    and not exists (select 1 from alive where alive.id = q.locked_by)
  for update of q skip locked
), queues as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set locked_by = null, locked_at = null
  from old_queues
  where q.id = old_queues.id
)
update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
set locked_by = null, locked_at = null, run_at = greatest(j.run_at, now())
from old_jobs
where j.id = old_jobs.id
returning j.id
