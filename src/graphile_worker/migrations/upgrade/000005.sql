-- Flags, by which a worker may pass over jobs; and a count of how often a key was added.

alter table :GRAPHILE_WORKER_SCHEMA.jobs
  add column revision integer not null default 0,
  add column flags jsonb default null;

drop function :GRAPHILE_WORKER_SCHEMA.add_job(
  text, json, text, timestamptz, integer, text, integer
);
create function :GRAPHILE_WORKER_SCHEMA.add_job(
  identifier text,
  payload json default null,
  queue_name text default null,
  run_at timestamptz default null,
  max_attempts integer default null,
  job_key text default null,
  priority integer default null,
  flags text[] default null
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
    task_identifier, payload, queue_name, run_at, max_attempts, key, priority, flags
  )
  values (
    add_job.identifier,
    coalesce(add_job.payload, '{}'::json),
    add_job.queue_name,
    coalesce(add_job.run_at, now()),
    coalesce(add_job.max_attempts, 25),
    add_job.job_key,
    coalesce(add_job.priority, 0),
    (select jsonb_object_agg(flag, true) from unnest(add_job.flags) as flag)
  )
  on conflict (key) do update set
    task_identifier = excluded.task_identifier,
    payload = excluded.payload,
    queue_name = excluded.queue_name,
    run_at = excluded.run_at,
    max_attempts = excluded.max_attempts,
    priority = excluded.priority,
    flags = excluded.flags,
    revision = jobs.revision + 1,
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
    task_identifier, payload, queue_name, run_at, max_attempts, key, priority, flags
  )
  values (
    add_job.identifier,
    coalesce(add_job.payload, '{}'::json),
    add_job.queue_name,
    coalesce(add_job.run_at, now()),
    coalesce(add_job.max_attempts, 25),
    add_job.job_key,
    coalesce(add_job.priority, 0),
    (select jsonb_object_agg(flag, true) from unnest(add_job.flags) as flag)
  )
  returning jobs.* into job;
  return job;
end;
$body$;

drop function :GRAPHILE_WORKER_SCHEMA.get_job(text, text[], interval);
create function :GRAPHILE_WORKER_SCHEMA.get_job(
  worker_id text,
  task_identifiers text[] default null,
  job_expiry interval default interval '4 hours',
  forbidden_flags text[] default null
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
  and (forbidden_flags is null or (jobs.flags ?| forbidden_flags) is not true)
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
