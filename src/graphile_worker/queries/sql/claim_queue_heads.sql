-- Takes the first due jobs, at most one of each named queue and none of a queue that is locked. Used
-- where our index gives the head of a queue in one look (graphile_worker_py_queue_heads); what it
-- costs does not grow with the jobs that wait behind locked queues, nor with the number of queues.
--
-- `front` looks a little past the batch for free queues, in the order of the jobs. Where it shows
-- too few jobs that could be taken, `ring` visits queues one by one from a random place, until
-- enough of them are free: none starves. What both see may be stale.
-- `locked_queues` then locks the queue rows: a queue that another session holds, or that it locked
-- since our snapshot, falls out here. `locked_heads` locks the jobs: a head that was taken or
-- rescheduled since falls out, in `heads` also one that was moved, and its queue is left alone in
-- this round rather than losing its order. Only queues whose head was locked are stamped.
-- The last column says what both saw: free queues, and enough jobs among the very first (-1); a free
-- queue (2); none at all, once round (1); none so near (3, and how many jobs of no queue come next); or
-- that no job is in a queue (0).
-- Without the part `ring`, for after -1: only the very first are looked at. It takes the same jobs,
-- or fewer than it was asked for.
-- Rows are found by arrays of ids, never by a join: a plan that was made while the table was empty
-- may read all of it for each id of a join.
with recursive front as materialized (
  select f.job_queue_id, row_number() over () as place
  from (
    select j.job_queue_id
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.is_available = true
      and j.run_at <= coalesce($4::timestamptz, now())
      and j.task_id = any ($2::integer[])
      and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
    order by j.priority, j.run_at
    limit :BATCH_SIZE + 8
--[ring
      + :BATCH_SIZE + 8
--]ring
  ) as f
), free_queues as materialized (
  select q.id
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.id = any (array(
      select front.job_queue_id from front where front.job_queue_id is not null
    ))
    and q.is_available = true
), near as materialized (
  select front.job_queue_id as id, min(front.place) as place
  from front
  where (front.job_queue_id in (select f.id from free_queues as f)) is true
  group by front.job_queue_id
), batch as materialized (
  select near.id as queue_id, near.place from near
  union all
  select null, front.place from front where front.job_queue_id is null
  order by 2
  limit :BATCH_SIZE
)
--[ring
, bounds as materialized (
  select
    (
      select j.job_queue_id
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.is_available = true and j.job_queue_id is not null
      order by j.job_queue_id
      limit 1
    ) as lowest,
    (
      select j.job_queue_id
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.is_available = true and j.job_queue_id is not null
      order by j.job_queue_id desc
      limit 1
    ) as highest
  where (select count(*) from front) = 2 * :BATCH_SIZE + 16
    and (select count(*) from batch) < :BATCH_SIZE
), origin as materialized (
  -- By itself, since a volatile expression is no condition of an index.
  select b.lowest + (random() * (b.highest - b.lowest))::integer as id
  from bounds as b
  where b.lowest is not null
), ring (id, is_free, first, visited, free) as (
  select s.id, s.is_free, s.id, 1, s.is_free::integer
  from origin as o
  cross join lateral (
    select n.id, q.is_available as is_free
    from (
      select j.job_queue_id as id
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.is_available = true and j.job_queue_id >= o.id
      order by j.job_queue_id
      limit 1
    ) as n
    cross join lateral (
      select q.is_available
      from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
      where q.id = n.id
      limit 1
    ) as q
  ) as s
  union all
  select n.id, n.is_free, r.first, r.visited + 1, r.free + n.is_free::integer
  from ring as r
  cross join lateral (
    select n.id, q.is_available as is_free
    from (
      select coalesce(
        (
          select j.job_queue_id
          from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
          where j.is_available = true and j.job_queue_id > r.id
          order by j.job_queue_id
          limit 1
        ),
        (select b.lowest from bounds as b)
      ) as id
      offset 0 -- looked up once
    ) as n
    cross join lateral (
      select q.is_available
      from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
      where q.id = n.id
      limit 1
    ) as q
  ) as n
  where r.visited < 2 * :BATCH_SIZE + 256 and r.free < :BATCH_SIZE and n.id <> r.first
)
--]ring
, queue_heads as materialized (
  select h.id, c.id as job_queue_id, h.priority, h.run_at
  from (
    select batch.queue_id as id from batch where batch.queue_id is not null
--[ring
    union
    select ring.id from ring where ring.is_free
--]ring
  ) as c
  cross join lateral (
    select j.id, j.priority, j.run_at
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.job_queue_id = c.id
      and j.is_available = true
      and j.run_at <= coalesce($4::timestamptz, now())
      and j.task_id = any ($2::integer[])
      and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
    order by j.priority, j.run_at, j.id
    limit 1
  ) as h
), locked_queues as materialized (
  select q.id
  from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  where q.id = any (array(select h.job_queue_id from queue_heads as h)) and q.is_available = true
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
  select u.id, u.job_queue_id, u.priority, u.run_at
  from (
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
  ) as u
  limit (select count(*) - count(batch.queue_id) from batch)
--[ring
    + :BATCH_SIZE - (select count(*) from batch)
--]ring
), picked as materialized (
  select c.id, c.job_queue_id
  from (select * from heads union all select * from unqueued) as c
  order by c.priority, c.run_at, c.id
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
  case
    when exists (select from near)
      and (select count(*) from batch where batch.place <= :BATCH_SIZE + 8) = :BATCH_SIZE then -1
    when exists (select from near) then 2
--[ring
    when exists (select from ring where ring.is_free) then 2
    when (select count(*) from ring) between 1 and 2 * :BATCH_SIZE + 255 then 1
--]ring
    when (
      select k.job_queue_id
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as k
      where k.is_available = true and k.job_queue_id is not null
      order by k.job_queue_id
      limit 1
    ) is not null then 3 + greatest(
      0, (select count(*) from front where front.job_queue_id is null)::integer - :BATCH_SIZE
    )
    else 0
  end
