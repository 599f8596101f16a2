-- The names of tasks and queues by their ids.
select 'task', t.id, t.identifier
from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
where t.id = any ($1::integer[])
union all
select 'queue', q.id, q.queue_name
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
where q.id = any ($2::integer[])
