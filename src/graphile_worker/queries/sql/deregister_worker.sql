-- A worker that holds no job says goodbye.
delete from :GRAPHILE_WORKER_SCHEMA._private_workers as w
where w.id = $1::text
