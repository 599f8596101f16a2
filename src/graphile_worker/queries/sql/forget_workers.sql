-- Deletes dead workers, so that one that was only asleep notices. One of whom something is still
-- locked stays in the table for the next sweep, marked with the time 'epoch' for the same purpose.
with held as materialized (
  select j.locked_by
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.locked_by = any ($1::text[])
  union
  select q.locked_by
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.locked_by = any ($1::text[])
), forgotten as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_workers as w
  where w.id = any ($1::text[]) and w.id not in (select held.locked_by from held)
)
update :GRAPHILE_WORKER_SCHEMA._private_workers as w
set last_heartbeat_at = 'epoch'::timestamptz
where w.id = any ($1::text[]) and w.id in (select held.locked_by from held)
