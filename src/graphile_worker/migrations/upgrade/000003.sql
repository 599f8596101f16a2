-- A job needs no queue: without one it runs in parallel with all others.

alter table :GRAPHILE_WORKER_SCHEMA.jobs alter column queue_name drop not null;

create or replace function :GRAPHILE_WORKER_SCHEMA.add_job(
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
    queue_name = excluded.queue_name,
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
  where (jobs.locked_at is null or jobs.locked_at < claimed_at - job_expiry)
  and (
    jobs.queue_name is null
    or exists (
      select from :GRAPHILE_WORKER_SCHEMA.job_queues as queues
      where queues.queue_name = jobs.queue_name
      and (queues.locked_at is null or queues.locked_at < claimed_at - job_expiry)
      for update skip locked
    )
  )
  and jobs.run_at <= claimed_at
  and jobs.attempts < jobs.max_attempts
  and (task_identifiers is null or jobs.task_identifier = any(task_identifiers))
  order by jobs.priority, jobs.run_at, jobs.id
  limit 1
  for update skip locked;
  if next_id is null then
    return null;
  end if;

  if next_queue is not null then
    update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
      set locked_by = worker_id, locked_at = claimed_at
      where queues.queue_name = next_queue;
  end if;
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set attempts = jobs.attempts + 1, locked_by = worker_id, locked_at = claimed_at
    where jobs.id = next_id
    returning jobs.* into job;
  return job;
end;
$body$;

create or replace function :GRAPHILE_WORKER_SCHEMA.complete_job(worker_id text, job_id bigint)
returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA.jobs;
begin
  delete from :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    where jobs.id = job_id
    returning jobs.* into job;
  if job.queue_name is not null then
    update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
      set locked_by = null, locked_at = null
      where queues.queue_name = job.queue_name and queues.locked_by = worker_id;
  end if;
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
  if job.queue_name is not null then
    update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
      set locked_by = null, locked_at = null
      where queues.queue_name = job.queue_name and queues.locked_by = worker_id;
  end if;
  return job;
end;
$body$;

-- Only rows with a queue are counted.
drop trigger _500_increase_job_queue_count on :GRAPHILE_WORKER_SCHEMA.jobs;
drop trigger _500_decrease_job_queue_count on :GRAPHILE_WORKER_SCHEMA.jobs;
drop trigger _500_increase_job_queue_count_update on :GRAPHILE_WORKER_SCHEMA.jobs;
drop trigger _500_decrease_job_queue_count_update on :GRAPHILE_WORKER_SCHEMA.jobs;

create trigger _500_increase_job_queue_count after insert on :GRAPHILE_WORKER_SCHEMA.jobs
  for each row when (new.queue_name is not null)
  execute function :GRAPHILE_WORKER_SCHEMA.jobs__increase_job_queue_count();
create trigger _500_decrease_job_queue_count after delete on :GRAPHILE_WORKER_SCHEMA.jobs
  for each row when (old.queue_name is not null)
  execute function :GRAPHILE_WORKER_SCHEMA.jobs__decrease_job_queue_count();
create trigger _500_increase_job_queue_count_update
  after update of queue_name on :GRAPHILE_WORKER_SCHEMA.jobs
  for each row
  when (new.queue_name is not null and new.queue_name is distinct from old.queue_name)
  execute function :GRAPHILE_WORKER_SCHEMA.jobs__increase_job_queue_count();
create trigger _500_decrease_job_queue_count_update
  after update of queue_name on :GRAPHILE_WORKER_SCHEMA.jobs
  for each row
  when (old.queue_name is not null and new.queue_name is distinct from old.queue_name)
  execute function :GRAPHILE_WORKER_SCHEMA.jobs__decrease_job_queue_count();
