-- The task and the payload of one job as it is stored: its first $2 characters, and how many there are.
select coalesce(t.identifier, ''), left(j.payload::text, $2::integer), length(j.payload::text)
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
where j.id = $1::bigint
