-- The end of a transaction whose row locks are claims: deletes the jobs that are done, and locks
-- those that are not as any other claim does, so that they can be released in the usual way.
with done as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  using unnest($2::bigint[]) as d (id)
  where j.id = d.id
)
update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
set attempts = j.attempts + 1,
    locked_by = $1::text,
    locked_at = coalesce($4::timestamptz, statement_timestamp())
from unnest($3::bigint[]) as l (id)
where j.id = l.id
returning j.id, date_part('epoch', j.locked_at)
