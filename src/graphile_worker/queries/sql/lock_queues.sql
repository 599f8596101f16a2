-- As lock_tasks.sql: where its queue was deleted meanwhile, a job would be stored without.
lock table :GRAPHILE_WORKER_SCHEMA._private_job_queues in access exclusive mode
