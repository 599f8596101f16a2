-- Unlocks the jobs and queues of these owners, however young the locks are.
select :GRAPHILE_WORKER_SCHEMA.force_unlock_workers($1::text[])
