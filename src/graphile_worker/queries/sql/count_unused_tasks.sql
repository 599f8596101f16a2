-- How many identifiers delete_unused_tasks.sql would delete; with $2, if jobs that have no attempts
-- left were deleted before.
select count(*)
from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
where t.identifier <> all ($1::text[])
  and not exists (
    select 1 from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.task_id = t.id
      and not ($2::boolean and j.locked_at is null and j.attempts >= j.max_attempts)
  )
