-- Deletes jobs that ran well, if this worker still holds them as it claimed them, and unlocks
-- their queues. Answers with the ids it deleted and, as `false`, those that another session has
-- locked for the moment (an add_job with their key, before its commit): those are tried again, so
-- that one slow transaction elsewhere does not hold up the completions of everybody else.
-- A queue is unlocked also where its job is gone: whoever deleted the job left the queue locked.
with held as (
  select *
  from unnest($2::bigint[], $3::float8[], $4::integer[]) as h (id, locked_at, queue_id)
), free as materialized (
  select j.id
  from held
  join :GRAPHILE_WORKER_SCHEMA._private_jobs as j on j.id = held.id
  where j.locked_by = $1::text and date_part('epoch', j.locked_at) = held.locked_at
  for update of j skip locked
), done as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  using free
  where j.id = free.id
  returning j.id
), blocked as materialized (
  select held.id
  from held
  join :GRAPHILE_WORKER_SCHEMA._private_jobs as j on j.id = held.id
  where j.locked_by = $1::text
    and date_part('epoch', j.locked_at) = held.locked_at
    and held.id not in (select free.id from free)
), unlocked as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set locked_by = null, locked_at = null
  from held
  where q.id = held.queue_id
    and q.locked_by = $1::text
    and date_part('epoch', q.locked_at) = held.locked_at
    and held.id not in (select blocked.id from blocked)
)
select done.id, true from done
union all
select blocked.id, false from blocked
