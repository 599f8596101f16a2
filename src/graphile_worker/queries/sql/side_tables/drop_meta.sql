-- The ledger goes with the last feature.
drop table if exists :GRAPHILE_WORKER_SCHEMA._gwx_meta
