-- Deletes jobs of no queue that one claim took and that ran well, if this worker still holds them as
-- it claimed them; the hot path of completions. Answers with the ids it deleted. It waits for a row
-- that another session has locked, so it is sent on a connection with a lock_timeout, and
-- release_completed.sql after that strikes (SQLSTATE 55P03). With false for $4 its commit does not
-- wait for the disk, whatever the session says; that is looked at once, not for each row.
delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
where j.id = any ($2::bigint[])
  and j.locked_by = $1::text
  and date_part('epoch', j.locked_at) = $3::float8
  and (
    select case when $4::boolean then '' else set_config('synchronous_commit', 'off', true) end
  ) is not null
returning j.id
