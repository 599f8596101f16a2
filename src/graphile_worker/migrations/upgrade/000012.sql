-- Adding a list to a job that has a list makes one longer list.

create or replace function :GRAPHILE_WORKER_SCHEMA.add_jobs(
  specs :GRAPHILE_WORKER_SCHEMA.job_spec[],
  job_key_preserve_run_at boolean default false
) returns setof :GRAPHILE_WORKER_SCHEMA.jobs language plpgsql as $body$
begin
  -- In name order, so that two sessions that add the same new names cannot deadlock.
  insert into :GRAPHILE_WORKER_SCHEMA.tasks (identifier)
    select distinct spec.identifier from unnest(specs) as spec order by 1
    on conflict do nothing;

  insert into :GRAPHILE_WORKER_SCHEMA.job_queues (queue_name)
    select distinct spec.queue_name
    from unnest(specs) as spec
    where spec.queue_name is not null
    order by 1
    on conflict do nothing;

  -- A job that is running, or has failed for good, gives up its key: it stays as it is but will
  -- not be retried, and the new job takes the key.
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set key = null, attempts = jobs.max_attempts, updated_at = now()
    from unnest(specs) as spec
    where spec.job_key is not null
    and jobs.key = spec.job_key
    and jobs.is_available is not true;

  return query
    insert into :GRAPHILE_WORKER_SCHEMA.jobs as jobs (
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
    join :GRAPHILE_WORKER_SCHEMA.tasks as tasks on tasks.identifier = spec.identifier
    left join :GRAPHILE_WORKER_SCHEMA.job_queues as queues
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
