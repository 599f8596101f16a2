-- Named queues with their jobs. There is no index by queue: the jobs are read once, for all queues.
select
  q.id, q.queue_name,
  count(*) filter (where j.id is not null),
  count(j.id) filter (where j.is_available and j.run_at <= now()),
  q.locked_at, q.locked_by
from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
left join :GRAPHILE_WORKER_SCHEMA._private_jobs as j on j.job_queue_id = q.id
group by q.id
order by q.queue_name
