-- Takes the first due jobs of no queue by their row locks alone: they are ours until the end of the
-- transaction, and free again if it does not commit. Nothing is written, so `attempts` is what it
-- will be if the job's row has to be.
select
  j.id, j.task_id, j.job_queue_id, j.payload::text, j.attempts + 1, j.max_attempts,
  date_part('epoch', clock_timestamp()), j.key, null::text, j.priority,
  date_part('epoch', j.run_at),
  case when $4::boolean then j.last_error end, case when $4::boolean then j.revision end,
  case when $4::boolean then j.flags::text end,
  case when $4::boolean then date_part('epoch', j.created_at) end,
  case when $4::boolean then date_part('epoch', j.updated_at) end, false
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
where j.is_available = true
  and j.job_queue_id is null
  and j.run_at <= coalesce($3::timestamptz, now())
  and j.task_id = any ($1::integer[])
  and ($2::text[] is null or (j.flags ?| $2::text[]) is not true)
order by j.priority, j.run_at
limit :BATCH_SIZE
for update skip locked
