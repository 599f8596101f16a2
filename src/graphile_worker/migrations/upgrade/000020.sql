-- Workers that say "alive", so that the jobs of dead ones can be found and given back.
--
-- The meaning of this number in the Rust implementation. Node's revision 20 changes two functions;
-- where Node was first, the runner sends this text all the same, without touching the ledger. The
-- table comes first: of two runners that do so at once, one fails on it and looks again.

-- No row level security here, unlike the older tables: that is how the revision is defined.
create table :GRAPHILE_WORKER_SCHEMA._private_workers (
  id text primary key,
  last_heartbeat_at timestamptz not null,
  started_at timestamptz not null default now(),
  metadata jsonb
);

create index _private_workers_last_heartbeat_at_idx
  on :GRAPHILE_WORKER_SCHEMA._private_workers (last_heartbeat_at);

-- A heartbeat without metadata keeps what the worker said before.
create function :GRAPHILE_WORKER_SCHEMA.worker_heartbeat(
  worker_id text,
  metadata json default null
) returns void language sql as $body$
  insert into :GRAPHILE_WORKER_SCHEMA._private_workers as workers (id, last_heartbeat_at, metadata)
    values (worker_heartbeat.worker_id, now(), worker_heartbeat.metadata::jsonb)
    on conflict (id) do update set
      last_heartbeat_at = excluded.last_heartbeat_at,
      metadata = coalesce(excluded.metadata, workers.metadata);
$body$;

create function :GRAPHILE_WORKER_SCHEMA.worker_deregister(worker_id text)
returns void language sql as $body$
  delete from :GRAPHILE_WORKER_SCHEMA._private_workers as workers
    where workers.id = worker_deregister.worker_id;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.list_stale_workers(stale_threshold interval)
returns table (worker_id text) language sql as $body$
  select workers.id
  from :GRAPHILE_WORKER_SCHEMA._private_workers as workers
  where workers.last_heartbeat_at < now() - list_stale_workers.stale_threshold;
$body$;

-- Owners of old locks who never registered. That includes every worker that sends no heartbeats.
create function :GRAPHILE_WORKER_SCHEMA.list_orphan_locked_workers(stale_threshold interval)
returns table (worker_id text) language sql as $body$
  select distinct locks.locked_by
  from (
    select jobs.locked_by, jobs.locked_at
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
    union all
    select queues.locked_by, queues.locked_at
    from :GRAPHILE_WORKER_SCHEMA._private_job_queues as queues
  ) as locks
  where locks.locked_by is not null
  and locks.locked_at < now() - list_orphan_locked_workers.stale_threshold
  and not exists (
    select from :GRAPHILE_WORKER_SCHEMA._private_workers as workers
    where workers.id = locks.locked_by
  );
$body$;

-- The fetch counted an attempt that was not made to its end; it is given back.
create function :GRAPHILE_WORKER_SCHEMA.recover_dead_worker_jobs(
  worker_ids text[],
  recovery_delay interval default '0 seconds'
) returns integer language plpgsql as $body$
declare
  recovered integer;
begin
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as jobs
    set
      attempts = greatest(0, jobs.attempts - 1),
      -- greatest() passes over a null delay: the time stays as it is.
      run_at = greatest(jobs.run_at, now() + recover_dead_worker_jobs.recovery_delay),
      last_error = 'Job recovered after worker interruption',
      locked_at = null,
      locked_by = null,
      updated_at = now()
    where jobs.locked_by = any(recover_dead_worker_jobs.worker_ids);
  get diagnostics recovered = row_count;

  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as queues
    set locked_at = null, locked_by = null
    where queues.locked_by = any(recover_dead_worker_jobs.worker_ids);
  return recovered;
end;
$body$;

create function :GRAPHILE_WORKER_SCHEMA.delete_stale_workers(worker_ids text[])
returns void language sql as $body$
  delete from :GRAPHILE_WORKER_SCHEMA._private_workers as workers
    where workers.id = any(delete_stale_workers.worker_ids);
$body$;
