-- Arguments as narrow as the columns they go to. Revision 14 takes half of this back.

alter type :GRAPHILE_WORKER_SCHEMA.job_spec alter attribute max_attempts type smallint;
alter type :GRAPHILE_WORKER_SCHEMA.job_spec alter attribute priority type smallint;

drop function :GRAPHILE_WORKER_SCHEMA.add_job;
create function :GRAPHILE_WORKER_SCHEMA.add_job(
  identifier text,
  payload json default null,
  queue_name text default null,
  run_at timestamptz default null,
  max_attempts smallint default null,
  job_key text default null,
  priority smallint default null,
  flags text[] default null,
  job_key_mode text default 'replace'
) returns :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql as $body$
declare
  job :GRAPHILE_WORKER_SCHEMA.jobs;
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
  insert into :GRAPHILE_WORKER_SCHEMA.tasks (identifier)
    values (add_job.identifier)
    on conflict do nothing;

  if add_job.queue_name is not null then
    insert into :GRAPHILE_WORKER_SCHEMA.job_queues (queue_name)
      values (add_job.queue_name)
      on conflict do nothing;
  end if;

  -- "unsafe": whatever state the job with this key is in, running or failed, it stays alone.
  insert into :GRAPHILE_WORKER_SCHEMA.jobs as jobs (
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
  from :GRAPHILE_WORKER_SCHEMA.tasks as tasks
  left join :GRAPHILE_WORKER_SCHEMA.job_queues as queues
    on queues.queue_name = add_job.queue_name
  where tasks.identifier = add_job.identifier
  on conflict (key) do update set revision = jobs.revision + 1, updated_at = now()
  returning jobs.* into job;

  return job;
end;
$body$;

drop function :GRAPHILE_WORKER_SCHEMA.reschedule_jobs;
-- Parameters are written with the function's name: in SQL functions a bare name is the column.
create function :GRAPHILE_WORKER_SCHEMA.reschedule_jobs(
  job_ids bigint[],
  run_at timestamptz default null,
  priority smallint default null,
  attempts smallint default null,
  max_attempts smallint default null
) returns setof :GRAPHILE_WORKER_SCHEMA.jobs language sql as $body$
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
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
