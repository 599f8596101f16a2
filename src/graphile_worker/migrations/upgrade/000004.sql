-- Priorities, checked arguments, and what an administrator does to many jobs at once.

drop function :GRAPHILE_WORKER_SCHEMA.add_job(text, json, text, timestamptz, integer, text);
create function :GRAPHILE_WORKER_SCHEMA.add_job(
  identifier text,
  payload json default null,
  queue_name text default null,
  run_at timestamptz default null,
  max_attempts integer default null,
  job_key text default null,
  priority integer default null
) returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA.jobs;
begin
  if length(add_job.identifier) > 128 then
    raise exception 'Task identifier is too long (max length: 128).' using errcode = 'GWBID';
  end if;
  if length(add_job.queue_name) > 128 then
    raise exception 'Job queue name is too long (max length: 128).' using errcode = 'GWBQN';
  end if;
  if length(add_job.job_key) > 512 then
    raise exception 'Job key is too long (max length: 512).' using errcode = 'GWBJK';
  end if;
  if add_job.max_attempts < 1 then
    raise exception 'Job maximum attempts must be at least 1' using errcode = 'GWBMA';
  end if;

  insert into :GRAPHILE_WORKER_SCHEMA.jobs as jobs (
    task_identifier, payload, queue_name, run_at, max_attempts, key, priority
  )
  values (
    add_job.identifier,
    coalesce(add_job.payload, '{}'::json),
    add_job.queue_name,
    coalesce(add_job.run_at, now()),
    coalesce(add_job.max_attempts, 25),
    add_job.job_key,
    coalesce(add_job.priority, 0)
  )
  on conflict (key) do update set
    task_identifier = excluded.task_identifier,
    payload = excluded.payload,
    queue_name = excluded.queue_name,
    run_at = excluded.run_at,
    max_attempts = excluded.max_attempts,
    priority = excluded.priority,
    attempts = 0,
    last_error = null
  where jobs.locked_at is null
  returning jobs.* into job;
  if job.id is not null then
    return job;
  end if;

  -- The job with this key is running: let it end, but never retry it, and take its key.
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set key = null, attempts = jobs.max_attempts
    where jobs.key = add_job.job_key;
  insert into :GRAPHILE_WORKER_SCHEMA.jobs as jobs (
    task_identifier, payload, queue_name, run_at, max_attempts, key, priority
  )
  values (
    add_job.identifier,
    coalesce(add_job.payload, '{}'::json),
    add_job.queue_name,
    coalesce(add_job.run_at, now()),
    coalesce(add_job.max_attempts, 25),
    add_job.job_key,
    coalesce(add_job.priority, 0)
  )
  returning jobs.* into job;
  return job;
end;
$body$;

-- The functions below leave a job alone while its lock is younger than four hours: it is running.

create function :GRAPHILE_WORKER_SCHEMA.complete_jobs(job_ids bigint[])
returns setof :GRAPHILE_WORKER_SCHEMA.jobs language sql as $body$
  delete from :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    where jobs.id = any(complete_jobs.job_ids)
    and (jobs.locked_by is null or jobs.locked_at < now() - interval '4 hours')
    returning jobs.*;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.permanently_fail_jobs(
  job_ids bigint[],
  error_message text default null
) returns setof :GRAPHILE_WORKER_SCHEMA.jobs language sql as $body$
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set
      last_error = coalesce(permanently_fail_jobs.error_message, 'Manually marked as failed'),
      attempts = jobs.max_attempts
    where jobs.id = any(permanently_fail_jobs.job_ids)
    and (jobs.locked_by is null or jobs.locked_at < now() - interval '4 hours')
    returning jobs.*;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.reschedule_jobs(
  job_ids bigint[],
  run_at timestamptz default null,
  priority integer default null,
  attempts integer default null,
  max_attempts integer default null
) returns setof :GRAPHILE_WORKER_SCHEMA.jobs language sql as $body$
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set
      run_at = coalesce(reschedule_jobs.run_at, jobs.run_at),
      priority = coalesce(reschedule_jobs.priority, jobs.priority),
      attempts = coalesce(reschedule_jobs.attempts, jobs.attempts),
      max_attempts = coalesce(reschedule_jobs.max_attempts, jobs.max_attempts)
    where jobs.id = any(reschedule_jobs.job_ids)
    and (jobs.locked_by is null or jobs.locked_at < now() - interval '4 hours')
    returning jobs.*;
$body$;
