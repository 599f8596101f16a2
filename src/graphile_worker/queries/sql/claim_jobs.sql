-- Takes the first due jobs that are in no queue, from a place in their order on. Used while no named
-- queue has any, for a moment after a claim that looked everywhere: entries of the index whose jobs
-- are gone are stepped over one by one as long as some old transaction might still see them, so
-- where the last claim ended the next one begins.
-- jobs_no_queue_index gives them in order, so the scan ends after :BATCH_SIZE rows that nobody
-- else holds. Ties of priority and run_at come in index order: `order by …, id` would have to read
-- the whole tie, all rows of one add_jobs call. A row that is locked does not move, so it is found
-- again by its place.
with picked as (
  select j.ctid as place
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.is_available = true
    and j.job_queue_id is null
    and j.run_at <= coalesce($4::timestamptz, now())
    and j.task_id = any ($2::integer[])
    and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
    and (j.priority, j.run_at) >= ($6::smallint, to_timestamp($7::float8))
  order by j.priority, j.run_at
  limit :BATCH_SIZE
  for update skip locked
)
update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
set attempts = j.attempts + 1,
    locked_by = $1::text,
    locked_at = coalesce($4::timestamptz, now())
from picked
where j.ctid = picked.place
returning
  j.id, j.task_id, j.job_queue_id, j.payload::text, j.attempts, j.max_attempts,
  (select date_part('epoch', coalesce($4::timestamptz, now()))), j.key,
  null::text, j.priority, date_part('epoch', j.run_at),
  case when $5::boolean then j.last_error end, case when $5::boolean then j.revision end,
  case when $5::boolean then j.flags::text end,
  case when $5::boolean then date_part('epoch', j.created_at) end,
  case when $5::boolean then date_part('epoch', j.updated_at) end, false
