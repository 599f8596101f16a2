-- Frees the queues of dead workers, but for those whose job is still locked by its worker. Of owners
-- that are not registered only locks older than $2 seconds, as in recover_jobs.
with free as materialized (
  select q.id
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.locked_by = any ($1::text[])
    and (
      q.locked_at < now() - $2::double precision * interval '1 second'
      or exists (
        select 1 from :GRAPHILE_WORKER_SCHEMA._private_workers as w where w.id = q.locked_by
      )
    )
    and not exists (
      select 1
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.job_queue_id = q.id and j.locked_by = q.locked_by
    )
  for update of q skip locked
)
update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
set locked_by = null, locked_at = null
from free
where q.id = free.id
