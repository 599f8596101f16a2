-- Says for the first time that a worker is alive; answers with the database's time.
insert into :GRAPHILE_WORKER_SCHEMA._private_workers as w (id, last_heartbeat_at, metadata)
values ($1::text, now(), $2::text::jsonb)
on conflict (id) do update
set last_heartbeat_at = excluded.last_heartbeat_at, metadata = excluded.metadata
returning now()
