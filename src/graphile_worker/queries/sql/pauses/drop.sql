-- Only when nothing is paused.
drop table if exists :GRAPHILE_WORKER_SCHEMA._gwx_pause
