-- Queues as they stand, jobs or none.
select q.queue_name, q.locked_at, q.locked_by
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
order by q.queue_name
limit $1::bigint
