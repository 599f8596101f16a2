-- Queues as they stand, jobs or none. Those that are held come first: they are few, and a queue that is
-- left out is taken for free.
select q.queue_name, q.locked_at, q.locked_by
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
order by q.locked_at is null, q.queue_name
limit $1::bigint
