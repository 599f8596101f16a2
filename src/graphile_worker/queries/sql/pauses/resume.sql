-- Ends a pause; no row when there is none.
update :GRAPHILE_WORKER_SCHEMA._gwx_pause as p
set resumed_at = now()
where p.kind = $1::text and p.name = $2::text and p.resumed_at is null
returning p.name
