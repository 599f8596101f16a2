-- One row for each attempt, by the day on which it ended: old days are dropped whole. The key also
-- makes a statement that is sent twice, since its answer was lost, add its rows once.
create table if not exists :GRAPHILE_WORKER_SCHEMA._gwx_run (
  job_id bigint not null,
  attempt integer not null,
  finished_at timestamptz not null,
  task text not null,
  queue text,
  key text,
  run_at timestamptz not null,
  started_at timestamptz not null,
  outcome text not null,
  worker text not null,
  error text,
  trace_id text,
  primary key (finished_at, job_id, attempt)
) partition by range (finished_at)
