-- Shared by all implementations; each revision that a schema has gone through is one row.
create table if not exists :GRAPHILE_WORKER_SCHEMA.migrations (
  id integer primary key,
  ts timestamptz not null default now(),
  breaking boolean not null default false
);
