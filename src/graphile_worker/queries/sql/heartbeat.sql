-- Says that a worker is alive; answers with the database's time, or not at all when it was swept.
-- Unlike the schema's worker_heartbeat it inserts nothing: that would hide the sweep. A sweeper that
-- could not take all jobs of a worker leaves the row, with the time 'epoch' (forget_workers.sql).
update :GRAPHILE_WORKER_SCHEMA._private_workers as w
set last_heartbeat_at = now(), metadata = coalesce($2::text::jsonb, w.metadata)
where w.id = $1::text and w.last_heartbeat_at > 'epoch'::timestamptz
returning now()
