-- Forgets what is older than $1 days.
delete from :GRAPHILE_WORKER_SCHEMA._gwx_audit as a
where a.at < now() - $1::integer * interval '1 day'
