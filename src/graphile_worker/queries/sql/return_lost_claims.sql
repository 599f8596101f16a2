-- Hands back jobs that are locked for this worker without its knowing: the answer of their claim
-- was lost with the connection. $2 to $4 are the claims that it does know of: ids of jobs, when each
-- was locked, and its queue. A later claim of the same job, or of the next job of the same queue, is
-- one that it does not know of. There is no index on locked_by; this is run once or twice after a lost
-- connection, not in the hot path.
with held as materialized (
  select *
  from unnest($2::bigint[], $3::float8[], $4::integer[]) as h (id, locked_at, queue_id)
), lost as materialized (
  select j.id
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.locked_by = $1::text
    and ((j.id, date_part('epoch', j.locked_at)) in (select held.id, held.locked_at from held))
      is not true
  for update of j skip locked
), returned as (
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  set attempts = greatest(0, j.attempts - 1), locked_by = null, locked_at = null
  where j.id = any (array(select lost.id from lost))
  returning j.id
), unlocked as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set locked_by = null, locked_at = null
  where q.locked_by = $1::text
    and ((q.id, date_part('epoch', q.locked_at)) in (select held.queue_id, held.locked_at from held))
      is not true
)
select id from returned
