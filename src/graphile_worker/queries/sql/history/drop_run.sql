-- History ends.
drop table if exists :GRAPHILE_WORKER_SCHEMA._gwx_run
