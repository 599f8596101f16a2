-- The schema at revision 18, for a schema that holds nothing but its ledger.
--
-- The runner claims ledger row 1 before it sends this text, in the same transaction; the other
-- rows are recorded at the end. Other implementations reach the same state by eighteen steps, and
-- later steps of theirs may name what those steps left behind. Hence the names with a "1":
-- revision 11 made new tables beside the old ones, whose names were still taken.

create type :GRAPHILE_WORKER_SCHEMA.job_spec as (
  identifier text,
  payload json,
  queue_name text,
  run_at timestamptz,
  max_attempts smallint,
  job_key text,
  priority smallint,
  flags text[]
);

create table :GRAPHILE_WORKER_SCHEMA._private_tasks (
  id integer
    constraint tasks_id_not_null not null
    generated always as identity (sequence name :GRAPHILE_WORKER_SCHEMA.tasks_id_seq)
    constraint tasks_pkey primary key,
  identifier text
    constraint tasks_identifier_not_null not null
    constraint tasks_identifier_key unique
    constraint tasks_identifier_check check (length(identifier) <= 128)
);

create table :GRAPHILE_WORKER_SCHEMA._private_job_queues (
  id integer
    constraint job_queues_id_not_null not null
    generated always as identity (sequence name :GRAPHILE_WORKER_SCHEMA.job_queues_id_seq)
    constraint job_queues_pkey1 primary key,
  queue_name text
    constraint job_queues_queue_name_not_null1 not null
    constraint job_queues_queue_name_key unique
    constraint job_queues_queue_name_check check (length(queue_name) <= 128),
  locked_at timestamptz,
  locked_by text,
  is_available boolean
    generated always as (locked_at is null) stored
    constraint job_queues_is_available_not_null not null
);

-- No foreign keys: rows of tasks and queues are collected while nothing refers to them, and a
-- check on every insert of a job would cost more than it protects.
create table :GRAPHILE_WORKER_SCHEMA._private_jobs (
  id bigint
    constraint jobs_id_not_null1 not null
    generated always as identity (sequence name :GRAPHILE_WORKER_SCHEMA.jobs_id_seq1)
    constraint jobs_pkey1 primary key,
  job_queue_id integer,
  task_id integer constraint jobs_task_id_not_null not null,
  payload json default '{}'::json constraint jobs_payload_not_null1 not null,
  priority smallint default 0 constraint jobs_priority_not_null1 not null,
  run_at timestamptz default now() constraint jobs_run_at_not_null1 not null,
  attempts smallint default 0 constraint jobs_attempts_not_null1 not null,
  max_attempts smallint
    default 25
    constraint jobs_max_attempts_not_null1 not null
    constraint jobs_max_attempts_check check (max_attempts >= 1),
  last_error text,
  created_at timestamptz default now() constraint jobs_created_at_not_null1 not null,
  updated_at timestamptz default now() constraint jobs_updated_at_not_null1 not null,
  key text
    constraint jobs_key_key1 unique
    constraint jobs_key_check check (length(key) > 0 and length(key) <= 512),
  locked_at timestamptz,
  locked_by text,
  revision integer default 0 constraint jobs_revision_not_null1 not null,
  flags jsonb,
  is_available boolean
    generated always as (locked_at is null and attempts < max_attempts) stored
    constraint jobs_is_available_not_null not null
);

-- The claim reads in this order; its predicate must be spelled `is_available = true` to match.
create index jobs_main_index
  on :GRAPHILE_WORKER_SCHEMA._private_jobs (priority, run_at)
  include (id, task_id, job_queue_id)
  where (is_available = true);

create index jobs_no_queue_index
  on :GRAPHILE_WORKER_SCHEMA._private_jobs (priority, run_at)
  include (id, task_id)
  where (is_available = true and job_queue_id is null);

create table :GRAPHILE_WORKER_SCHEMA._private_known_crontabs (
  identifier text
    constraint known_crontabs_identifier_not_null not null
    constraint known_crontabs_pkey primary key,
  known_since timestamptz constraint known_crontabs_known_since_not_null not null,
  last_execution timestamptz
);

-- Without policies this shuts out every role but the owner, superusers and BYPASSRLS roles.
alter table :GRAPHILE_WORKER_SCHEMA._private_tasks enable row level security;
alter table :GRAPHILE_WORKER_SCHEMA._private_job_queues enable row level security;
alter table :GRAPHILE_WORKER_SCHEMA._private_jobs enable row level security;
alter table :GRAPHILE_WORKER_SCHEMA._private_known_crontabs enable row level security;

create view :GRAPHILE_WORKER_SCHEMA.jobs as
  select
    jobs.id,
    job_queues.queue_name,
    tasks.identifier as task_identifier,
    jobs.priority,
    jobs.run_at,
    jobs.attempts,
    jobs.max_attempts,
    jobs.last_error,
    jobs.created_at,
    jobs.updated_at,
    jobs.key,
    jobs.locked_at,
    jobs.locked_by,
    jobs.revision,
    jobs.flags
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
  join :GRAPHILE_WORKER_SCHEMA._private_tasks as tasks on tasks.id = jobs.task_id
  left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as job_queues
    on job_queues.id = jobs.job_queue_id;

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

  if job.revision = 0 then
    perform pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":1}');
  end if;
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
    perform pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":-1}');
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

insert into :GRAPHILE_WORKER_SCHEMA.migrations (id, breaking)
  select id, id in (3, 11, 13, 14, 16) from generate_series(2, 18) as id;
