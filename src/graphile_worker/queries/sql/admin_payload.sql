-- The payload of one job as it is stored: the first $2 characters, and how many there are.
select left(j.payload::text, $2::integer), length(j.payload::text)
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
where j.id = $1::bigint
