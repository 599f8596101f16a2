create index graphile_worker_py_queue_heads
  on :GRAPHILE_WORKER_SCHEMA._private_jobs (job_queue_id, priority, run_at, id)
  include (task_id)
  where (is_available = true and job_queue_id is not null);
