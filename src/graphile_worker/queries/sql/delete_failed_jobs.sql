-- Deletes jobs that have no attempts left; one that is running may still succeed.
with deleted as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.locked_at is null and j.attempts >= j.max_attempts
  returning 1
)
select count(*) from deleted
