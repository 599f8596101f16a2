-- Which of these jobs there are.
select j.id
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
where j.id = any ($1::bigint[])
