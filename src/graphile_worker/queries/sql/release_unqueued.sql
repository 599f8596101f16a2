-- Deletes jobs of no queue that ran well, if this worker still holds them as it claimed them; the
-- hot path of completions, so it answers with those only that it did not hold. It waits for a row
-- that another session has locked, so it is sent on a connection with a lock_timeout, and
-- release_completed.sql after that strikes (SQLSTATE 55P03).
with held as (
  select * from unnest($2::bigint[], $3::timestamptz[]) as h (id, locked_at)
), done as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  using held
  where j.id = held.id and j.locked_by = $1::text and j.locked_at = held.locked_at
  returning j.id
)
select held.id from held where held.id not in (select done.id from done)
