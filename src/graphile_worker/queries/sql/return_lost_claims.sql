-- Hands back jobs that are locked for this worker without its knowing: the answer of their claim
-- was lost with the connection. $2 and $3 are the jobs and queues that it does know of. There is
-- no index on locked_by; this is run once or twice after a lost connection, not in the hot path.
with lost as materialized (
  select j.id
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.locked_by = $1::text and j.id <> all ($2::bigint[])
  for update of j skip locked
), returned as (
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  set attempts = greatest(0, j.attempts - 1), locked_by = null, locked_at = null
  where j.id = any (array(select lost.id from lost))
  returning j.id
), unlocked as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set locked_by = null, locked_at = null
  where q.locked_by = $1::text and q.id <> all ($3::integer[])
)
select id from returned
