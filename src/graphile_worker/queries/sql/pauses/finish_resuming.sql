-- Frees the queues whose resume waited for a running job that has ended. After try_lock_queues.
update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
set locked_at = null, locked_by = null
where starts_with(q.locked_by, 'resuming:')
  and not exists (
    select 1
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.job_queue_id = q.id and j.locked_at is not null
  )
returning q.queue_name
