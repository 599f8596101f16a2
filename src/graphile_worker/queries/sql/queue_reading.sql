-- What a watcher wants to know, in one look. It reads the whole table of jobs: once an interval, by
-- one process of a fleet; by each, where none has a session of its own that could hold the lock, as
-- behind a pooler without a direct road. Other sessions' transactions are seen by superusers and members of
-- pg_monitor, and those of the own role by everybody.
select
  count(*) filter (where j.is_available and j.run_at <= now()),
  count(*) filter (where j.is_available and j.run_at > now()),
  count(*) filter (where j.locked_at is not null),
  count(*) filter (where j.locked_at is null and j.attempts >= j.max_attempts),
  coalesce(
    extract(
      epoch from now() - min(greatest(j.run_at, '0001-01-01 UTC'))
        filter (where j.is_available and j.run_at <= now())
    ),
    0
  )::double precision,
  (
    select coalesce(extract(epoch from now() - min(a.xact_start)), 0)::double precision
    from pg_stat_activity as a
    where a.datname = current_database()
      and a.backend_xmin is not null
      and a.pid <> pg_backend_pid()
  )
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
