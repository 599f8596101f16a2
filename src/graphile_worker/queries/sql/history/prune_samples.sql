-- Samples that are too old.
delete from :GRAPHILE_WORKER_SCHEMA._gwx_sample as s
where s.at < now() - $1::double precision * interval '1 second'
