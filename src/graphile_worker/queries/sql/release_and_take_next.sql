-- Deletes jobs that ran well, each of a named queue of its own, and takes the next due job of each
-- of those queues without letting the queue go: what a claim that follows the release would do, in
-- half the time. Answers with a row for each job that it deleted, with what it took, and with
-- `false` for those that another session has locked for the moment; see release_completed.
--
-- Needs our index, which gives the head of a queue in one look. A head that was taken, moved or
-- rescheduled since our snapshot falls out in `next`: its queue is let go, rather than losing its
-- order. Rows are found by arrays, as in release_completed; what depends on rows that are locked
-- here is an array too, which is worked out once whatever others do meanwhile.
with held as materialized (
  select *
  from unnest($6::bigint[], $7::float8[], $8::integer[]) as h (id, locked_at, queue_id)
), locked as materialized (
  select j.id, date_part('epoch', j.locked_at) as locked_at
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any ($6::bigint[]) and j.locked_by = $1::text
  for update skip locked
), free as materialized (
  select held.id, held.queue_id, held.locked_at
  from held
  where ((held.id, held.locked_at) in (select locked.id, locked.locked_at from locked)) is true
), done as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any (array(select free.id from free))
  returning j.id
), blocked as materialized (
  select j.id
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any ($6::bigint[])
    and j.locked_by = $1::text
    and ((j.id, date_part('epoch', j.locked_at)) in (select held.id, held.locked_at from held))
      is true
    and j.id not in (select free.id from free)
), locked_queues as materialized (
  select q.id, date_part('epoch', q.locked_at) as locked_at
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.id = any (array(select free.queue_id from free)) and q.locked_by = $1::text
  for update skip locked
), heads as materialized (
  select free.queue_id, h.id
  from free
  cross join lateral (
    select j.id
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.job_queue_id = free.queue_id
      and j.is_available = true
      and j.run_at <= coalesce($4::timestamptz, now())
      and j.task_id = any ($2::integer[])
      and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
    order by j.priority, j.run_at, j.id
    limit 1
  ) as h
  where ((free.queue_id, free.locked_at) in (select l.id, l.locked_at from locked_queues as l))
    is true
), locked_heads as materialized (
  select j.id, j.job_queue_id
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any (array(select heads.id from heads))
    and j.is_available is not distinct from true
    and j.run_at <= coalesce($4::timestamptz, now())
    and j.task_id = any ($2::integer[])
    and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
  for update skip locked
), next as materialized (
  select l.id, l.job_queue_id
  from locked_heads as l
  where ((l.job_queue_id, l.id) in (select heads.queue_id, heads.id from heads)) is true
), left_queues as materialized (
  select held.queue_id as id from held
  except
  select held.queue_id from held where held.id in (select blocked.id from blocked)
), stamped as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set
    locked_by = case when q.id = any (array(select next.job_queue_id from next)) then $1::text end,
    locked_at = case
      when q.id = any (array(select next.job_queue_id from next))
      then coalesce($4::timestamptz, now())
    end
  where q.id = any (array(select l.id from left_queues as l))
    and q.locked_by = $1::text
    and ((q.id, date_part('epoch', q.locked_at)) in (select held.queue_id, held.locked_at from held))
      is true
), taken as (
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  set attempts = j.attempts + 1,
      locked_by = $1::text,
      locked_at = coalesce($4::timestamptz, now())
  where j.id = any (array(select next.id from next))
  returning
    j.id, j.task_id, j.job_queue_id, j.payload::text as payload, j.attempts, j.max_attempts,
    j.key, j.priority, j.run_at, j.last_error, j.revision, j.flags::text as flags,
    j.created_at, j.updated_at
)
select
  done.id, true, t.id, t.task_id, t.job_queue_id, t.payload, t.attempts, t.max_attempts,
  (select date_part('epoch', coalesce($4::timestamptz, now()))), t.key,
  case when $5::boolean then (
    select q.queue_name
    from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
    where q.id = t.job_queue_id
  ) end,
  t.priority, date_part('epoch', t.run_at),
  case when $5::boolean then t.last_error end, case when $5::boolean then t.revision end,
  case when $5::boolean then t.flags end,
  case when $5::boolean then date_part('epoch', t.created_at) end,
  case when $5::boolean then date_part('epoch', t.updated_at) end, 2
from done
join held on held.id = done.id
left join taken as t on t.job_queue_id = held.queue_id
union all
select
  blocked.id, false, null, null, null, null, null, null, null, null, null, null, null, null, null,
  null, null, null, 2
from blocked
