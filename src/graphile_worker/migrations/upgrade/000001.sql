-- Jobs and the queues that serialise them.
--
-- The runner never sends this: an empty schema gets baseline.sql. It is here because the first
-- revision is where every older schema comes from; tests build those from it.

create table :GRAPHILE_WORKER_SCHEMA.job_queues (
  queue_name text not null primary key,
  job_count integer not null,
  locked_at timestamptz,
  locked_by text
);
alter table :GRAPHILE_WORKER_SCHEMA.job_queues enable row level security;

create table :GRAPHILE_WORKER_SCHEMA.jobs (
  id bigserial primary key,
  queue_name text not null,
  task_identifier text not null,
  payload json not null default '{}'::json,
  priority integer not null default 0,
  run_at timestamptz not null default now(),
  attempts integer not null default 0,
  max_attempts integer not null default 25,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table :GRAPHILE_WORKER_SCHEMA.jobs enable row level security;
create index jobs_priority_run_at_id_idx
  on :GRAPHILE_WORKER_SCHEMA.jobs (priority, run_at, id);

-- Two updates in one transaction have one now(); the second must still be later.
create function :GRAPHILE_WORKER_SCHEMA.tg__update_timestamp()
returns trigger language plpgsql as $body$
begin
  new.updated_at = greatest(now(), old.updated_at + interval '1 millisecond');
  return new;
end;
$body$;
create trigger _100_timestamps before update on :GRAPHILE_WORKER_SCHEMA.jobs
  for each row execute function :GRAPHILE_WORKER_SCHEMA.tg__update_timestamp();

create function :GRAPHILE_WORKER_SCHEMA.jobs__increase_job_queue_count()
returns trigger language plpgsql as $body$
begin
  insert into :GRAPHILE_WORKER_SCHEMA.job_queues as queues (queue_name, job_count)
    values (new.queue_name, 1)
    on conflict (queue_name) do update set job_count = queues.job_count + 1;
  return new;
end;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.jobs__decrease_job_queue_count()
returns trigger language plpgsql as $body$
declare
  left_over integer;
begin
  update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
    set job_count = queues.job_count - 1
    where queues.queue_name = old.queue_name
    returning queues.job_count into left_over;
  if left_over <= 0 then
    delete from :GRAPHILE_WORKER_SCHEMA.job_queues as queues
      where queues.queue_name = old.queue_name and queues.job_count <= 0;
  end if;
  return old;
end;
$body$;

create trigger _500_increase_job_queue_count after insert on :GRAPHILE_WORKER_SCHEMA.jobs
  for each row execute function :GRAPHILE_WORKER_SCHEMA.jobs__increase_job_queue_count();
create trigger _500_decrease_job_queue_count after delete on :GRAPHILE_WORKER_SCHEMA.jobs
  for each row execute function :GRAPHILE_WORKER_SCHEMA.jobs__decrease_job_queue_count();
create trigger _500_increase_job_queue_count_update
  after update of queue_name on :GRAPHILE_WORKER_SCHEMA.jobs
  for each row execute function :GRAPHILE_WORKER_SCHEMA.jobs__increase_job_queue_count();
create trigger _500_decrease_job_queue_count_update
  after update of queue_name on :GRAPHILE_WORKER_SCHEMA.jobs
  for each row execute function :GRAPHILE_WORKER_SCHEMA.jobs__decrease_job_queue_count();

create function :GRAPHILE_WORKER_SCHEMA.tg_jobs__notify_new_jobs()
returns trigger language plpgsql as $body$
begin
  perform pg_notify('jobs:insert', '');
  return new;
end;
$body$;
create trigger _900_notify_worker after insert on :GRAPHILE_WORKER_SCHEMA.jobs
  for each statement execute function :GRAPHILE_WORKER_SCHEMA.tg_jobs__notify_new_jobs();

create function :GRAPHILE_WORKER_SCHEMA.add_job(
  identifier text,
  payload json default '{}',
  queue_name text default null,
  run_at timestamptz default now(),
  max_attempts integer default 25
) returns :GRAPHILE_WORKER_SCHEMA.jobs language sql as $body$
  insert into :GRAPHILE_WORKER_SCHEMA.jobs as jobs (
    task_identifier, payload, queue_name, run_at, max_attempts
  )
  values (
    add_job.identifier, add_job.payload, add_job.queue_name, add_job.run_at, add_job.max_attempts
  )
  returning jobs.*;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.get_job(
  worker_id text,
  task_identifiers text[] default null,
  job_expiry interval default interval '4 hours'
) returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql as $body$
declare
  next_id bigint;
  next_queue text;
  job :GRAPHILE_WORKER_SCHEMA.jobs;
begin
  if worker_id is null or length(worker_id) < 10 then
    raise exception 'invalid worker id';
  end if;

  select jobs.id, jobs.queue_name into next_id, next_queue
  from :GRAPHILE_WORKER_SCHEMA.jobs as jobs
  join :GRAPHILE_WORKER_SCHEMA.job_queues as queues on queues.queue_name = jobs.queue_name
  where (queues.locked_at is null or queues.locked_at < now() - job_expiry)
  and jobs.run_at <= now()
  and jobs.attempts < jobs.max_attempts
  and (task_identifiers is null or jobs.task_identifier = any(task_identifiers))
  order by jobs.priority, jobs.run_at, jobs.id
  limit 1
  for update of queues skip locked;
  if next_id is null then
    return null;
  end if;

  update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
    set locked_by = worker_id, locked_at = now()
    where queues.queue_name = next_queue;
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set attempts = jobs.attempts + 1
    where jobs.id = next_id
    returning jobs.* into job;
  return job;
end;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.complete_job(worker_id text, job_id bigint)
returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA.jobs;
begin
  delete from :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    where jobs.id = job_id
    returning jobs.* into job;
  update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
    set locked_by = null, locked_at = null
    where queues.queue_name = job.queue_name and queues.locked_by = worker_id;
  return job;
end;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.fail_job(
  worker_id text,
  job_id bigint,
  error_message text
) returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA.jobs;
begin
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set
      last_error = error_message,
      run_at = greatest(now(), jobs.run_at) + exp(least(jobs.attempts, 10)) * interval '1 second'
    where jobs.id = job_id
    returning jobs.* into job;
  update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
    set locked_by = null, locked_at = null
    where queues.queue_name = job.queue_name and queues.locked_by = worker_id;
  return job;
end;
$body$;
