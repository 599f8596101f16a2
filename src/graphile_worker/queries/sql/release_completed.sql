-- Deletes jobs that ran well, if this worker still holds them as it claimed them, and unlocks
-- their queues. Answers with the ids it deleted and, as `false`, those that another session has
-- locked for the moment (an add_job with their key, before its commit): those are tried again, so
-- that one slow transaction elsewhere does not hold up the completions of everybody else.
-- A queue is unlocked also where its job is gone: whoever deleted the job left the queue locked.
--
-- Rows are found by arrays of ids, never by a join: a plan that was made while the table was empty
-- may read all of it for each id of a join. What is ours is told from them by hashed subplans.
with held as materialized (
  select *
  from unnest($2::bigint[], $3::float8[], $4::integer[]) as h (id, locked_at, queue_id)
), locked as materialized (
  select j.id, date_part('epoch', j.locked_at) as locked_at
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any ($2::bigint[]) and j.locked_by = $1::text
  for update skip locked
), free as materialized (
  select locked.id
  from locked
  where ((locked.id, locked.locked_at) in (select held.id, held.locked_at from held)) is true
), done as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any (array(select free.id from free))
  returning j.id
), blocked as materialized (
  select j.id
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any ($2::bigint[])
    and j.locked_by = $1::text
    and ((j.id, date_part('epoch', j.locked_at)) in (select held.id, held.locked_at from held))
      is true
    and j.id not in (select free.id from free)
), left_queues as materialized (
  select held.queue_id as id from held
  except
  select held.queue_id from held where held.id in (select blocked.id from blocked)
), unlocked as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set locked_by = null, locked_at = null
  where q.id = any (array(select l.id from left_queues as l))
    and q.locked_by = $1::text
    and ((q.id, date_part('epoch', q.locked_at)) in (select held.queue_id, held.locked_at from held))
      is true
)
select done.id, true from done
union all
select blocked.id, false from blocked
