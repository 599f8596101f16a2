-- The jobs of dead workers ($1) that recover_jobs would free, by id; $2 is its $11.
select
  j.id, coalesce(t.identifier, ''), q.queue_name, j.payload::text,
  j.priority, :RUN_AT, j.attempts, j.max_attempts, j.last_error, j.key, j.revision, j.flags::text,
  j.created_at, j.updated_at, j.locked_at, j.locked_by, 'locked'
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
where j.locked_by = any ($1::text[])
  and (
    j.locked_at < now() - $2::double precision * interval '1 second'
    or exists (
      select 1 from :GRAPHILE_WORKER_SCHEMA._private_workers as w where w.id = j.locked_by
    )
  )
order by j.id
