-- Takes the first due jobs, at most one of each named queue and none of a queue that is locked.
--
-- `front` looks a little past the batch for the heads of free queues; what it sees may be stale.
-- `locked_queues` then locks the queue rows: a queue that another session holds, or that it locked
-- since our snapshot, falls out here. `locked_heads` locks the jobs: a head that was taken or
-- rescheduled since falls out, in `heads` also one that was moved, and its queue is left alone in
-- this round rather than losing its order. Only queues whose head was locked are stamped.
-- Rows are found by arrays of ids, never by a join: a plan that was made while the table was empty
-- may read all of it for each id of a join.
with front as materialized (
  select j.id, j.job_queue_id, j.priority, j.run_at
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.is_available = true
    and j.run_at <= coalesce($4::timestamptz, now())
    and j.task_id = any ($2::integer[])
    and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
    and (
      j.job_queue_id is null
      or (
        select q.is_available
        from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
        where q.id = j.job_queue_id
      )
    )
  order by j.priority, j.run_at
  limit 2 * :BATCH_SIZE + 16
), queue_heads as materialized (
  select distinct on (job_queue_id) id, job_queue_id, priority, run_at
  from front
  where job_queue_id is not null
  order by job_queue_id, priority, run_at, id
), locked_queues as materialized (
  select q.id
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.id = any (array(
      select h.job_queue_id
      from queue_heads as h
      order by h.priority, h.run_at, h.id
      limit :BATCH_SIZE
    ))
    and q.is_available = true
  for update skip locked
), locked_heads as materialized (
  select j.id, j.job_queue_id, j.priority, j.run_at
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any (array(
      select h.id
      from queue_heads as h
      where (h.job_queue_id in (select l.id from locked_queues as l)) is true
    ))
    and j.is_available is not distinct from true
    and j.run_at <= coalesce($4::timestamptz, now())
    and j.task_id = any ($2::integer[])
    and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
  for update skip locked
), heads as materialized (
  select l.id, l.job_queue_id, l.priority, l.run_at
  from locked_heads as l
  where ((l.job_queue_id, l.id) in (select h.job_queue_id, h.id from queue_heads as h)) is true
), unqueued as materialized (
  select j.id, j.job_queue_id, j.priority, j.run_at
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.is_available = true
    and j.job_queue_id is null
    and j.run_at <= coalesce($4::timestamptz, now())
    and j.task_id = any ($2::integer[])
    and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
  order by j.priority, j.run_at
  limit :BATCH_SIZE
  for update skip locked
), picked as materialized (
  select id, job_queue_id
  from (select * from heads union all select * from unqueued) as candidates
  order by priority, run_at, id
  limit :BATCH_SIZE
), stamped as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set locked_by = $1::text, locked_at = coalesce($4::timestamptz, now())
  where q.id = any (array(select picked.job_queue_id from picked))
)
update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
set attempts = j.attempts + 1,
    locked_by = $1::text,
    locked_at = coalesce($4::timestamptz, now())
where j.id = any (array(select picked.id from picked))
returning
  j.id, j.task_id, j.job_queue_id, j.payload::text, j.attempts, j.max_attempts,
  (select date_part('epoch', coalesce($4::timestamptz, now()))), j.key,
  case when $5::boolean then (
    select q.queue_name
    from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
    where q.id = j.job_queue_id
  ) end,
  j.priority, date_part('epoch', j.run_at),
  case when $5::boolean then j.last_error end, case when $5::boolean then j.revision end,
  case when $5::boolean then j.flags::text end,
  case when $5::boolean then date_part('epoch', j.created_at) end,
  case when $5::boolean then date_part('epoch', j.updated_at) end,
  exists (select 1 from :GRAPHILE_WORKER_SCHEMA._private_job_queues)::integer * 2
