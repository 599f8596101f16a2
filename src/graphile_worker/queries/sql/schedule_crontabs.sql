-- Marks the entries of one minute and adds their jobs, or neither. Moving last_execution forward is
-- the lock that all workers share: of those who try, one gets the row back from `won`, in whatever
-- order they come and however often they try. `done` spares the others the row locks. Rows are
-- locked in the order of their identifiers, so that two workers cannot deadlock.
-- Jobs go through the shared functions, in as few calls as these allow: one call has one flag for
-- job_key_preserve_run_at, and no two jobs with the same key. No call without jobs, since it would
-- notify. A schema that Node installed may store no job for a key that is being claimed: then the
-- last condition fails the whole statement, and the minute is tried again.
with entry as (
  select e.*
  from unnest(
    $2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::smallint[],
    $9::text[], $10::boolean[], $11::boolean[]
  ) with ordinality as e (
    identifier, task, payload, queue_name, max_attempts, job_key, priority, flags,
    preserve_run_at, shares_key, place
  )
), done as (
  select k.identifier
  from :GRAPHILE_WORKER_SCHEMA._private_known_crontabs as k
  where k.identifier = any ($2::text[]) and k.last_execution >= $1::timestamptz
), won as (
  insert into :GRAPHILE_WORKER_SCHEMA._private_known_crontabs as k
    (identifier, known_since, last_execution)
  select entry.identifier, $1::timestamptz, $1::timestamptz
  from entry
  where entry.identifier not in (select done.identifier from done)
  order by entry.identifier
  on conflict (identifier) do update set last_execution = excluded.last_execution
  where k.last_execution is null or k.last_execution < excluded.last_execution
  returning k.identifier
), job as (
  select
    entry.identifier, entry.place, entry.job_key, entry.preserve_run_at, entry.shares_key,
    row(
      entry.task, entry.payload::json, entry.queue_name, $1::timestamptz, entry.max_attempts,
      entry.job_key, entry.priority, string_to_array(entry.flags, ',')
    ):::GRAPHILE_WORKER_SCHEMA.job_spec as spec
  from entry
  join won on won.identifier = entry.identifier
), call as (
  select array_agg(job.spec order by job.place) as specs, job.preserve_run_at, min(job.place) as place
  from job
  group by job.preserve_run_at, case when job.shares_key then job.place end
), added as (
  select count(*) as jobs
  from (select * from call order by call.place) as call
  cross join lateral :GRAPHILE_WORKER_SCHEMA.add_jobs(call.specs, call.preserve_run_at) as j
)
select job.identifier
from job
where (
  select case
    when added.jobs = (select count(*) from job) then true
    else ('a job key is being claimed; of the jobs only ' || added.jobs || ' were stored')::boolean
  end
  from added
)
order by job.place
