-- Takes the first due jobs of no queue, from a place in their order on, by their row locks alone:
-- they are ours until the end of the transaction, and free again if it does not commit. Nothing is
-- written, so `attempts` is what it will be if the job's row has to be.
-- `tie` and `rest` are those of claim_jobs.sql. Here they also pass by the jobs that the other lane
-- holds, which the index would find first each time.
with tie as materialized (
  select j.*
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id > $7::bigint and j.id <= $7::bigint + 2 * :BATCH_SIZE
    and (j.is_available, j.job_queue_id, j.priority, date_part('epoch', j.run_at))
      is not distinct from (true, null::integer, $5::smallint, $6::float8)
    and j.task_id = any ($1::integer[])
    and ($2::text[] is null or (j.flags ?| $2::text[]) is not true)
  order by j.id
  limit :BATCH_SIZE
  for update skip locked
), rest as materialized (
  select j.*
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.is_available = true
    and j.job_queue_id is null
    and j.run_at <= coalesce($3::timestamptz, now())
    and j.task_id = any ($1::integer[])
    and ($2::text[] is null or (j.flags ?| $2::text[]) is not true)
    and (j.priority, j.run_at) >= ($5::smallint, to_timestamp($6::float8))
    and (
      j.id > $7::bigint and j.id <= $7::bigint + 2 * :BATCH_SIZE
      and j.priority = $5::smallint and date_part('epoch', j.run_at) = $6::float8
    ) is not true
  order by j.priority, j.run_at
  limit :BATCH_SIZE - (select count(*) from tie)
  for update skip locked
)
select
  j.id, j.task_id, j.job_queue_id, j.payload::text, j.attempts + 1, j.max_attempts,
  date_part('epoch', clock_timestamp()), j.key, null::text, j.priority,
  date_part('epoch', j.run_at),
  case when $4::boolean then j.last_error end, case when $4::boolean then j.revision end,
  case when $4::boolean then j.flags::text end,
  case when $4::boolean then date_part('epoch', j.created_at) end,
  case when $4::boolean then date_part('epoch', j.updated_at) end, 0
from (select * from tie union all select * from rest) as j
