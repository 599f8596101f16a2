-- How many jobs stand where; the states are those of list_jobs.sql and exclude one another.
select
  count(*),
  count(*) filter (where j.is_available and j.run_at <= now()),
  count(*) filter (where j.is_available and j.run_at > now()),
  count(*) filter (where j.locked_at is not null),
  count(*) filter (where j.locked_at is null and j.attempts >= j.max_attempts)
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
