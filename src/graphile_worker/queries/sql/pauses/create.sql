-- What the Python workers leave alone. A row stays when it is resumed: runs of a cron entry that fall
-- into a pause are not made up for, also not by a worker that starts after it.
create table if not exists :GRAPHILE_WORKER_SCHEMA._gwx_pause (
  kind text not null check (kind in ('all', 'task', 'cron')),
  name text not null,
  paused_by text not null,
  paused_at timestamptz not null default now(),
  resumed_at timestamptz,
  primary key (kind, name)
)
