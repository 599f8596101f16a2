-- Ledgers of early versions do not say which revisions were breaking.
alter table :GRAPHILE_WORKER_SCHEMA.migrations
  add column if not exists breaking boolean not null default false;

update :GRAPHILE_WORKER_SCHEMA.migrations set breaking = true where id in (1, 3, 11, 13, 14, 16);
