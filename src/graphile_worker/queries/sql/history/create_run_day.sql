-- The attempts of one day, in UTC.
create table if not exists :GRAPHILE_WORKER_SCHEMA._gwx_run_:DAY
partition of :GRAPHILE_WORKER_SCHEMA._gwx_run
for values from (':FROM') to (':TO')
