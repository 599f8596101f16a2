-- How the queue stood at each minute, and PostgreSQL's own counters of the table of jobs then.
create table if not exists :GRAPHILE_WORKER_SCHEMA._gwx_sample (
  at timestamptz primary key,
  ins bigint not null,
  upd bigint not null,
  del bigint not null,
  stats_reset timestamptz,
  ready bigint not null,
  blocked bigint not null,
  running bigint not null,
  retrying bigint not null,
  scheduled bigint not null,
  failed bigint not null,
  oldest_ready double precision not null,
  workers integer not null
)
