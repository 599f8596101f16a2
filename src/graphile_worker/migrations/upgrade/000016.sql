-- The tables are private: others are to use the functions, and a view (revision 17).
-- Indexes, constraints and sequences keep their names.

alter table :GRAPHILE_WORKER_SCHEMA.jobs rename to _private_jobs;
alter table :GRAPHILE_WORKER_SCHEMA.job_queues rename to _private_job_queues;
alter table :GRAPHILE_WORKER_SCHEMA.tasks rename to _private_tasks;
alter table :GRAPHILE_WORKER_SCHEMA.known_crontabs rename to _private_known_crontabs;

-- Function bodies are text; they have to be told the new names.
drop function :GRAPHILE_WORKER_SCHEMA.add_job;
drop function :GRAPHILE_WORKER_SCHEMA.add_jobs;
drop function :GRAPHILE_WORKER_SCHEMA.complete_jobs;
drop function :GRAPHILE_WORKER_SCHEMA.force_unlock_workers;
-- Missing where the Rust implementation did revision 11.
drop function if exists :GRAPHILE_WORKER_SCHEMA.permanently_fail_jobs;
drop function :GRAPHILE_WORKER_SCHEMA.remove_job;
drop function :GRAPHILE_WORKER_SCHEMA.reschedule_jobs;

create function :GRAPHILE_WORKER_SCHEMA.add_jobs(
  specs :GRAPHILE_WORKER_SCHEMA.job_spec[],
  job_key_preserve_run_at boolean default false
) returns setof :GRAPHILE_WORKER_SCHEMA._private_jobs language plpgsql as $body$
begin
  -- In name order, so that two sessions that add the same new names cannot deadlock.
  insert into :GRAPHILE_WORKER_SCHEMA._private_tasks (identifier)
    select distinct spec.identifier from unnest(specs) as spec order by 1
    on conflict do nothing;

  insert into :GRAPHILE_WORKER_SCHEMA._private_job_queues (queue_name)
    select distinct spec.queue_name
    from unnest(specs) as spec
    where spec.queue_name is not null
    order by 1
    on conflict do nothing;

  -- A job that is running, or has failed for good, gives up its key: it stays as it is but will
  -- not be retried, and the new job takes the key.
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
    set key = null, attempts = jobs.max_attempts, updated_at = now()
    from unnest(specs) as spec
    where spec.job_key is not null
    and jobs.key = spec.job_key
    and jobs.is_available is not true;

  return query
    insert into :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs (
      job_queue_id, task_id, payload, run_at, max_attempts, key, priority, flags
    )
    select
      queues.id,
      tasks.id,
      coalesce(spec.payload, '{}'::json),
      coalesce(spec.run_at, now()),
      coalesce(spec.max_attempts, 25::smallint),
      spec.job_key,
      coalesce(spec.priority, 0::smallint),
      (select jsonb_object_agg(flag, true) from unnest(spec.flags) as flag)
    from unnest(specs) as spec
    join :GRAPHILE_WORKER_SCHEMA._private_tasks as tasks on tasks.identifier = spec.identifier
    left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as queues
      on queues.queue_name = spec.queue_name
    on conflict (key) do update set
      job_queue_id = excluded.job_queue_id,
      task_id = excluded.task_id,
      -- Two lists are one longer list: how a batch job collects its items.
      payload = case
        when json_typeof(jobs.payload) = 'array' and json_typeof(excluded.payload) = 'array'
        then (jobs.payload::jsonb || excluded.payload::jsonb)::json
        else excluded.payload
      end,
      -- Once an attempt was made the old time is past; only then is it replaced.
      run_at = case
        when job_key_preserve_run_at and jobs.attempts = 0 then jobs.run_at
        else excluded.run_at
      end,
      max_attempts = excluded.max_attempts,
      priority = excluded.priority,
      flags = excluded.flags,
      revision = jobs.revision + 1,
      attempts = 0,
      last_error = null,
      updated_at = now()
    where jobs.locked_at is null
    returning jobs.*;
end;
$body$;

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
) returns :GRAPHILE_WORKER_SCHEMA._private_jobs language plpgsql as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA._private_jobs;
begin
  if add_job.job_key is null
    or add_job.job_key_mode is null
    or add_job.job_key_mode in ('replace', 'preserve_run_at')
  then
    select added.* into job
    from :GRAPHILE_WORKER_SCHEMA.add_jobs(
      array[(
        add_job.identifier,
        add_job.payload,
        add_job.queue_name,
        add_job.run_at,
        add_job.max_attempts::smallint,
        add_job.job_key,
        add_job.priority::smallint,
        add_job.flags
      ):::GRAPHILE_WORKER_SCHEMA.job_spec],
      coalesce(add_job.job_key_mode = 'preserve_run_at', false)
    ) as added
    limit 1;
    return job;
  end if;

  if add_job.job_key_mode <> 'unsafe_dedupe' then
    raise exception
      'Invalid job_key_mode value, expected ''replace'', ''preserve_run_at'' or ''unsafe_dedupe''.'
      using errcode = 'GWBKM';
  end if;

  -- Parameters are written with the function's name throughout: columns have the same names.
  insert into :GRAPHILE_WORKER_SCHEMA._private_tasks (identifier)
    values (add_job.identifier)
    on conflict do nothing;

  if add_job.queue_name is not null then
    insert into :GRAPHILE_WORKER_SCHEMA._private_job_queues (queue_name)
      values (add_job.queue_name)
      on conflict do nothing;
  end if;

  -- "unsafe": whatever state the job with this key is in, running or failed, it stays alone.
  insert into :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs (
    job_queue_id, task_id, payload, run_at, max_attempts, key, priority, flags
  )
  select
    queues.id,
    tasks.id,
    coalesce(add_job.payload, '{}'::json),
    coalesce(add_job.run_at, now()),
    coalesce(add_job.max_attempts::smallint, 25::smallint),
    add_job.job_key,
    coalesce(add_job.priority::smallint, 0::smallint),
    (select jsonb_object_agg(flag, true) from unnest(add_job.flags) as flag)
  from :GRAPHILE_WORKER_SCHEMA._private_tasks as tasks
  left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as queues
    on queues.queue_name = add_job.queue_name
  where tasks.identifier = add_job.identifier
  on conflict (key) do update set revision = jobs.revision + 1, updated_at = now()
  returning jobs.* into job;

  return job;
end;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.remove_job(job_key text)
returns :GRAPHILE_WORKER_SCHEMA._private_jobs language plpgsql strict as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA._private_jobs;
begin
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
    where jobs.key = remove_job.job_key
    and (jobs.locked_at is null or jobs.locked_at < now() - interval '4 hours')
    returning jobs.* into job;
  if found then
    return job;
  end if;

  -- It is running: let it end, but never retry it, and set its key free.
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
    set key = null, attempts = jobs.max_attempts, updated_at = now()
    where jobs.key = remove_job.job_key
    returning jobs.* into job;
  return job;
end;
$body$;

-- The functions below leave a job alone while its lock is younger than four hours: it is running.

create function :GRAPHILE_WORKER_SCHEMA.complete_jobs(job_ids bigint[])
returns setof :GRAPHILE_WORKER_SCHEMA._private_jobs language sql as $body$
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
    where jobs.id = any(complete_jobs.job_ids)
    and (jobs.locked_at is null or jobs.locked_at < now() - interval '4 hours')
    returning jobs.*;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.permanently_fail_jobs(
  job_ids bigint[],
  error_message text default null
) returns setof :GRAPHILE_WORKER_SCHEMA._private_jobs language sql as $body$
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
    set
      last_error = coalesce(permanently_fail_jobs.error_message, 'Manually marked as failed'),
      attempts = jobs.max_attempts,
      updated_at = now()
    where jobs.id = any(permanently_fail_jobs.job_ids)
    and (jobs.locked_at is null or jobs.locked_at < now() - interval '4 hours')
    returning jobs.*;
$body$;

-- Parameters are written with the function's name: in SQL functions a bare name is the column.
create function :GRAPHILE_WORKER_SCHEMA.reschedule_jobs(
  job_ids bigint[],
  run_at timestamptz default null,
  priority integer default null,
  attempts integer default null,
  max_attempts integer default null
) returns setof :GRAPHILE_WORKER_SCHEMA._private_jobs language sql as $body$
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
    set
      run_at = coalesce(reschedule_jobs.run_at, jobs.run_at),
      priority = coalesce(reschedule_jobs.priority::smallint, jobs.priority),
      attempts = coalesce(reschedule_jobs.attempts::smallint, jobs.attempts),
      max_attempts = coalesce(reschedule_jobs.max_attempts::smallint, jobs.max_attempts),
      updated_at = now()
    where jobs.id = any(reschedule_jobs.job_ids)
    and (jobs.locked_at is null or jobs.locked_at < now() - interval '4 hours')
    returning jobs.*;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.force_unlock_workers(worker_ids text[])
returns void language sql as $body$
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
    set locked_at = null, locked_by = null
    where jobs.locked_by = any(force_unlock_workers.worker_ids);
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as queues
    set locked_at = null, locked_by = null
    where queues.locked_by = any(force_unlock_workers.worker_ids);
$body$;
