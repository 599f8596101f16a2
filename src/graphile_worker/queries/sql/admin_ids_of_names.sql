-- The ids of tasks $1 and queues $2 that are there.
select 'task', t.id, t.identifier
from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
where t.identifier = any ($1::text[])
union all
select 'queue', q.id, q.queue_name
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
where q.queue_name = any ($2::text[])
