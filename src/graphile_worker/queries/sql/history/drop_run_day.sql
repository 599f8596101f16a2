-- The attempts of one day, which is long past.
drop table if exists :GRAPHILE_WORKER_SCHEMA._gwx_run_:DAY
