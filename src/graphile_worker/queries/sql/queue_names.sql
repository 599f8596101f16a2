-- Names of queues that begin with a text, as task_identifiers.sql; reads no jobs.
select q.queue_name
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
where left(q.queue_name, length($1::text)) = $1::text
order by q.queue_name
limit 100
