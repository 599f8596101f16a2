-- What people did by the admin page and its API. The details are json: jsonb refuses some texts.
create table if not exists :GRAPHILE_WORKER_SCHEMA._gwx_audit (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  actor text not null,
  action text not null,
  target json not null,
  result json not null
)
