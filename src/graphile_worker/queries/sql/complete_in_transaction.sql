-- Completes one job in the transaction of its handler, as the last statement before the commit: if
-- the worker does not hold the job as it claimed it, no row comes back and nothing may be committed.
-- It waits for whoever has the row locked; what that one did decides.
with done as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = $2::bigint and j.locked_by = $1::text and date_part('epoch', j.locked_at) = $3::float8
  returning j.id, j.job_queue_id
), unlocked as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set locked_by = null, locked_at = null
  from done
  where q.id = done.job_queue_id
    and q.locked_by = $1::text
    and date_part('epoch', q.locked_at) = $3::float8
)
select done.id from done
