-- The job that keeps a queue locked.
select j.id, coalesce(t.identifier, ''), j.locked_at, j.locked_by
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
where j.locked_at is not null
  and j.job_queue_id = (
    select q.id from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q where q.queue_name = $1::text
  )
order by j.locked_at
limit 1
