-- What the Python workers did, by minute, hour and day, and by task. `run` and `wait` are sums in
-- seconds, `run_h` and `wait_h` histograms, whose buckets never change. Rows are updated while their
-- time lasts, so pages keep room for that.
create table if not exists :GRAPHILE_WORKER_SCHEMA._gwx_rollup (
  resolution text not null check (resolution in ('minute', 'hour', 'day')),
  at timestamptz not null,
  task text not null,
  completed bigint not null,
  failed bigint not null,
  dead bigint not null,
  run double precision not null,
  wait double precision not null,
  run_h bigint[] not null,
  wait_h bigint[] not null,
  primary key (resolution, at, task)
) with (fillfactor = 50)
