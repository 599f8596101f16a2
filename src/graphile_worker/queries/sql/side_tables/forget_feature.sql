-- A feature whose tables are gone.
delete from :GRAPHILE_WORKER_SCHEMA._gwx_meta as m where m.feature = $1::text
