-- Deletes jobs of named queues that one claim took and that ran well, if this worker still holds them
-- as it claimed them, and unlocks their queues. Answers with the ids it deleted. As
-- release_unqueued.sql it waits for locked rows; what it does not find is for release_completed.sql,
-- which unlocks queues whose job is gone.
with done as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any ($2::bigint[])
    and j.locked_by = $1::text
    and date_part('epoch', j.locked_at) = $3::float8
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
