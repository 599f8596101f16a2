-- Three meanings of adding a job whose key is taken.

drop function :GRAPHILE_WORKER_SCHEMA.add_job(
  text, json, text, timestamptz, integer, text, integer, text[]
);
create function :GRAPHILE_WORKER_SCHEMA.add_job(
  identifier text,
  payload json default null,
  queue_name text default null,
  run_at timestamptz default null,
  max_attempts integer default null,
  job_key text default null,
  priority integer default null,
  flags text[] default null,
  job_key_mode text default 'replace'
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
    raise exception 'Job maximum attempts must be at least 1.' using errcode = 'GWBMA';
  end if;

  if add_job.job_key is not null and add_job.job_key_mode = 'unsafe_dedupe' then
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
    on conflict (key) do update set revision = jobs.revision + 1
    returning jobs.* into job;
    return job;
  end if;

  if add_job.job_key is not null
    and add_job.job_key_mode not in ('replace', 'preserve_run_at')
  then
    raise exception
      'Invalid job_key_mode value, expected ''replace'', ''preserve_run_at'' or ''unsafe_dedupe''.'
      using errcode = 'GWBKM';
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
    run_at = case
      when add_job.job_key_mode = 'preserve_run_at' and jobs.attempts = 0 then jobs.run_at
      else excluded.run_at
    end,
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

-- A running job cannot be deleted; it is kept from being retried.
drop function :GRAPHILE_WORKER_SCHEMA.remove_job(text);
create function :GRAPHILE_WORKER_SCHEMA.remove_job(job_key text)
returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql strict as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA.jobs;
begin
  delete from :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    where jobs.key = remove_job.job_key and jobs.locked_at is null
    returning jobs.* into job;
  if not found then
    update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
      set key = null, attempts = jobs.max_attempts
      where jobs.key = remove_job.job_key
      returning jobs.* into job;
  end if;
  return job;
end;
$body$;
