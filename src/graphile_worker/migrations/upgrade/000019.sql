-- Adding a job for a key never loses it, and says so if no job came out.
--
-- The meaning of this number in the Rust implementation. Node's revision 19 changes nothing in the
-- database; where Node was first, its row and its functions stay. Ours beyond Rust: names that are
-- known already take no numbers from their sequences, which Node's revision 20 does too.

create or replace function :GRAPHILE_WORKER_SCHEMA.add_jobs(
  specs :GRAPHILE_WORKER_SCHEMA.job_spec[],
  job_key_preserve_run_at boolean default false
) returns setof :GRAPHILE_WORKER_SCHEMA._private_jobs language plpgsql as $body$
declare
  name text;
begin
  -- Loops over single names: their statements keep one plan, an index lookup, for the whole
  -- session. Joins with the list are planned anew in each call, or keep a plan for a small table.
  --
  -- A job that is running, or has failed for good, gives up its key: it stays as it is but will
  -- not be retried, and the new job takes the key. A session that has just claimed the job, and
  -- not committed, would hide that from the update, and the insert would then neither update nor
  -- insert: the new job would be lost. So wait for such a session first. In key order, so that two
  -- sessions that add the same keys cannot deadlock.
  for name in
    select distinct spec.job_key
    from unnest(specs) as spec
    where spec.job_key is not null
    order by spec.job_key
  loop
    perform pg_advisory_xact_lock(hashtext(name));
    perform from :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs where jobs.key = name for update;
    update :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
      set key = null, attempts = jobs.max_attempts, updated_at = now()
      where jobs.key = name and jobs.is_available is not true;
  end loop;

  -- Only missing tasks and queues are inserted: a conflict, too, takes a number from the sequence,
  -- and those end at 2^31; from then on nothing could be added.
  for name in
    select distinct spec.identifier from unnest(specs) as spec order by spec.identifier
  loop
    if not exists (
      select from :GRAPHILE_WORKER_SCHEMA._private_tasks as tasks where tasks.identifier = name
    ) then
      insert into :GRAPHILE_WORKER_SCHEMA._private_tasks (identifier)
        values (name)
        on conflict do nothing;
    end if;
  end loop;

  for name in
    select distinct spec.queue_name
    from unnest(specs) as spec
    where spec.queue_name is not null
    order by spec.queue_name
  loop
    if not exists (
      select from :GRAPHILE_WORKER_SCHEMA._private_job_queues as queues
      where queues.queue_name = name
    ) then
      insert into :GRAPHILE_WORKER_SCHEMA._private_job_queues (queue_name)
        values (name)
        on conflict do nothing;
    end if;
  end loop;

  -- `r` keeps PostgreSQL from folding equal notifications of one transaction, which would hide
  -- their counts. No specs: the length is null, so the text is, and the payload comes out empty.
  perform pg_notify(
    'jobs:insert',
    '{"r":' || random()::text || ',"count":' || array_length(specs, 1)::text || '}'
  );

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

create or replace function :GRAPHILE_WORKER_SCHEMA.add_job(
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
    if not found then
      raise exception 'Unable to schedule job for key "%"', coalesce(add_job.job_key, '<null>')
        using errcode = 'GWNOR';
    end if;
    return job;
  end if;

  if add_job.job_key_mode <> 'unsafe_dedupe' then
    raise exception
      'Invalid job_key_mode value, expected ''replace'', ''preserve_run_at'' or ''unsafe_dedupe''.'
      using errcode = 'GWBKM';
  end if;

  -- Parameters are written with the function's name throughout: columns have the same names.
  insert into :GRAPHILE_WORKER_SCHEMA._private_tasks (identifier)
    select add_job.identifier
    where not exists (
      select from :GRAPHILE_WORKER_SCHEMA._private_tasks as tasks
      where tasks.identifier = add_job.identifier
    )
    on conflict do nothing;

  insert into :GRAPHILE_WORKER_SCHEMA._private_job_queues (queue_name)
    select add_job.queue_name
    where add_job.queue_name is not null
    and not exists (
      select from :GRAPHILE_WORKER_SCHEMA._private_job_queues as queues
      where queues.queue_name = add_job.queue_name
    )
    on conflict do nothing;

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

  if job.revision = 0 then
    perform pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":1}');
  end if;
  return job;
end;
$body$;
