-- A worker may bring its own clock.

drop function :GRAPHILE_WORKER_SCHEMA.get_job(text, text[], interval, text[]);
create function :GRAPHILE_WORKER_SCHEMA.get_job(
  worker_id text,
  task_identifiers text[] default null,
  job_expiry interval default interval '4 hours',
  forbidden_flags text[] default null,
  now timestamptz default now()
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
  where (jobs.locked_at is null or jobs.locked_at < get_job.now - job_expiry)
  and (
    jobs.queue_name is null
    or exists (
      select from :GRAPHILE_WORKER_SCHEMA.job_queues as queues
      where queues.queue_name = jobs.queue_name
      and (queues.locked_at is null or queues.locked_at < get_job.now - job_expiry)
      for update skip locked
    )
  )
  and jobs.run_at <= get_job.now
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
      set locked_by = worker_id, locked_at = get_job.now
      where queues.queue_name = next_queue;
  end if;
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set attempts = jobs.attempts + 1, locked_by = worker_id, locked_at = get_job.now
    where jobs.id = next_id
    returning jobs.* into job;
  return job;
end;
$body$;
