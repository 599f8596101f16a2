-- Deletes jobs that ran well, each of a named queue of its own, and takes the next due job of each
-- of those queues without letting the queue go: what a claim that follows the release would do, in
-- half the time. Answers with a row for each job that it deleted, with what it took, and with
-- `false` for those that another session has locked for the moment; see release_completed.
--
-- Needs our index, which gives the head of a queue in one look. A head that was taken, moved or
-- rescheduled since our snapshot falls out in `next`: its queue is let go, rather than losing its
-- order.
with held as (
  select *
  from unnest($6::bigint[], $7::float8[], $8::integer[]) as h (id, locked_at, queue_id)
), free as materialized (
  select j.id, held.queue_id, held.locked_at
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
), ours as materialized (
  select q.id
  from free
  join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = free.queue_id
  where q.locked_by = $1::text and date_part('epoch', q.locked_at) = free.locked_at
  for update of q skip locked
), next as materialized (
  select j.id, j.job_queue_id
  from (
    select ours.id as queue_id, h.id
    from ours
    cross join lateral (
      select j.id
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.job_queue_id = ours.id
        and j.is_available = true
        and j.run_at <= coalesce($4::timestamptz, now())
        and j.task_id = any ($2::integer[])
        and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
      order by j.priority, j.run_at, j.id
      limit 1
    ) as h
  ) as head
  join :GRAPHILE_WORKER_SCHEMA._private_jobs as j on j.id = head.id
  where j.job_queue_id = head.queue_id
    and j.is_available = true
    and j.run_at <= coalesce($4::timestamptz, now())
    and j.task_id = any ($2::integer[])
    and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
  for update of j skip locked
), stamped as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set
    locked_by = case when n.id is not null then $1::text end,
    locked_at = case when n.id is not null then coalesce($4::timestamptz, now()) end
  from held
  left join next as n on n.job_queue_id = held.queue_id
  where q.id = held.queue_id
    and q.locked_by = $1::text
    and date_part('epoch', q.locked_at) = held.locked_at
    and held.id not in (select blocked.id from blocked)
), taken as (
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  set attempts = j.attempts + 1,
      locked_by = $1::text,
      locked_at = coalesce($4::timestamptz, now())
  from next
  where j.id = next.id
  returning
    j.id, j.task_id, j.job_queue_id, j.payload::text as payload, j.attempts, j.max_attempts,
    j.key, j.priority, j.run_at, j.last_error, j.revision, j.flags::text as flags,
    j.created_at, j.updated_at
)
select
  done.id, true, t.id, t.task_id, t.job_queue_id, t.payload, t.attempts, t.max_attempts,
  (select date_part('epoch', coalesce($4::timestamptz, now()))), t.key,
  (
    select q.queue_name
    from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
    where q.id = t.job_queue_id
  ),
  t.priority, date_part('epoch', t.run_at),
  case when $5::boolean then t.last_error end, case when $5::boolean then t.revision end,
  case when $5::boolean then t.flags end,
  case when $5::boolean then date_part('epoch', t.created_at) end,
  case when $5::boolean then date_part('epoch', t.updated_at) end, true
from done
join held on held.id = done.id
left join taken as t on t.job_queue_id = held.queue_id
union all
select
  blocked.id, false, null, null, null, null, null, null, null, null, null, null, null, null, null,
  null, null, null, true
from blocked
