-- Deletes jobs that one claim took and that ran well, if this worker still holds them as it claimed
-- them, and unlocks their queues. Answers with the ids it deleted. It waits for whoever has a row
-- locked; what that one did decides. With false for $4 its commit does not wait for the disk.
--
-- For jobs of named queues, and, as the last statement before the commit, for the one job that is
-- completed in the transaction of its handler, on whose search path anything may stand. A queue whose
-- job is gone stays locked here: release_completed.sql unlocks it.
with done as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any ($2::bigint[])
    and j.locked_by = $1::text
    and pg_catalog.date_part('epoch', j.locked_at) = $3::float8
    and (
      select case when $4::boolean then '' else pg_catalog.set_config('synchronous_commit', 'off', true) end
    ) is not null
  returning j.id, j.job_queue_id
), unlocked as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set locked_by = null, locked_at = null
  where q.id = any (array(select done.job_queue_id from done))
    and q.locked_by = $1::text
    and pg_catalog.date_part('epoch', q.locked_at) = $3::float8
)
select done.id from done
