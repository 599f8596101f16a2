-- Keeps everybody from adding jobs until the end of the transaction, and waits for those who are at
-- it. add_jobs makes sure of its tasks first and joins with them later; a task that was deleted
-- between the two would take the job with it. It may only read them: hence the strongest lock.
lock table :GRAPHILE_WORKER_SCHEMA._private_tasks in access exclusive mode
