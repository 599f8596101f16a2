-- Why jobs were left alone: who holds those of $1 that are held.
select j.id, j.locked_by, j.locked_at
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
where j.id = any ($1::bigint[])
