-- Job keys: add again to replace, remove by key. Jobs say themselves who holds them.

alter table :GRAPHILE_WORKER_SCHEMA.jobs
  add column key text
    constraint jobs_key_key unique
    constraint jobs_key_check check (length(key) > 0),
  add column locked_at timestamptz,
  add column locked_by text;

update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
  set locked_at = queues.locked_at, locked_by = queues.locked_by
  from :GRAPHILE_WORKER_SCHEMA.job_queues as queues
  where queues.queue_name = jobs.queue_name
  and queues.locked_at is not null;

drop function :GRAPHILE_WORKER_SCHEMA.add_job(text, json, text, timestamptz, integer);
create function :GRAPHILE_WORKER_SCHEMA.add_job(
  identifier text,
  payload json default '{}',
  queue_name text default null,
  run_at timestamptz default now(),
  max_attempts integer default 25,
  job_key text default null
) returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA.jobs;
begin
  insert into :GRAPHILE_WORKER_SCHEMA.jobs as jobs (
    task_identifier, payload, queue_name, run_at, max_attempts, key
  )
  values (
    add_job.identifier,
    add_job.payload,
    add_job.queue_name,
    add_job.run_at,
    add_job.max_attempts,
    add_job.job_key
  )
  on conflict (key) do update set
    task_identifier = excluded.task_identifier,
    payload = excluded.payload,
    queue_name = coalesce(add_job.queue_name, jobs.queue_name),
    run_at = excluded.run_at,
    max_attempts = excluded.max_attempts,
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
    task_identifier, payload, queue_name, run_at, max_attempts, key
  )
  values (
    add_job.identifier,
    add_job.payload,
    add_job.queue_name,
    add_job.run_at,
    add_job.max_attempts,
    add_job.job_key
  )
  returning jobs.* into job;
  return job;
end;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.remove_job(job_key text)
returns :GRAPHILE_WORKER_SCHEMA.jobs language sql strict as $body$
  delete from :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    where jobs.key = remove_job.job_key and jobs.locked_at is null
    returning jobs.*;
$body$;

create or replace function :GRAPHILE_WORKER_SCHEMA.get_job(
  worker_id text,
  task_identifiers text[] default null,
  job_expiry interval default interval '4 hours'
) returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql as $body$
declare
  next_id bigint;
  next_queue text;
  job :GRAPHILE_WORKER_SCHEMA.jobs;
  claimed_at timestamptz = now();
begin
  if worker_id is null or length(worker_id) < 10 then
    raise exception 'invalid worker id';
  end if;

  select jobs.id, jobs.queue_name into next_id, next_queue
  from :GRAPHILE_WORKER_SCHEMA.jobs as jobs
  join :GRAPHILE_WORKER_SCHEMA.job_queues as queues on queues.queue_name = jobs.queue_name
  where (queues.locked_at is null or queues.locked_at < claimed_at - job_expiry)
  and jobs.run_at <= claimed_at
  and jobs.attempts < jobs.max_attempts
  and (task_identifiers is null or jobs.task_identifier = any(task_identifiers))
  order by jobs.priority, jobs.run_at, jobs.id
  limit 1
  for update of queues skip locked;
  if next_id is null then
    return null;
  end if;

  update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
    set locked_by = worker_id, locked_at = claimed_at
    where queues.queue_name = next_queue;
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set attempts = jobs.attempts + 1, locked_by = worker_id, locked_at = claimed_at
    where jobs.id = next_id
    returning jobs.* into job;
  return job;
end;
$body$;

create or replace function :GRAPHILE_WORKER_SCHEMA.fail_job(
  worker_id text,
  job_id bigint,
  error_message text
) returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql strict as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA.jobs;
begin
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set
      last_error = error_message,
      run_at = greatest(now(), jobs.run_at) + exp(least(jobs.attempts, 10)) * interval '1 second',
      locked_by = null,
      locked_at = null
    where jobs.id = job_id and jobs.locked_by = worker_id
    returning jobs.* into job;
  update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
    set locked_by = null, locked_at = null
    where queues.queue_name = job.queue_name and queues.locked_by = worker_id;
  return job;
end;
$body$;
