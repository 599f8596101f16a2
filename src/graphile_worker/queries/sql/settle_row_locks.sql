-- The end of a transaction whose row locks are claims: deletes the jobs that are done, and locks
-- those that are not as any other claim does, so that they can be released in the usual way.
with done as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any ($2::bigint[])
)
update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
set attempts = j.attempts + 1,
    locked_by = $1::text,
    locked_at = coalesce($4::timestamptz, statement_timestamp())
where j.id = any ($3::bigint[])
returning j.id, date_part('epoch', j.locked_at)
