-- Our own ledger: which side tables there are, in which version, and how they were set up. Nothing
-- of it is in the shared table of migrations, and nobody else reads it.
create table if not exists :GRAPHILE_WORKER_SCHEMA._gwx_meta (
  feature text primary key,
  version integer not null,
  settings json not null,
  installed_at timestamptz not null default now()
)
