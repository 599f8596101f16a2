-- The id of the job with a key; no two have the same.
select j.id
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
where j.key = $1::text
