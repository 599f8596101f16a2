-- Deletes queues without jobs. `not exists`, since a job without a queue would make `not in` unknown
-- for all of them. A locked queue stays: it is paused, or its job was just deleted by hand.
with deleted as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.locked_at is null
    and not exists (
      select 1 from :GRAPHILE_WORKER_SCHEMA._private_jobs as j where j.job_queue_id = q.id
    )
  returning 1
)
select count(*) from deleted
