-- Takes the first due jobs that are in no queue, from a place in their order on, and says whether
-- there are any in queues (2 or 0; $9: our index tells; without it, whether there is a queue). Used
-- while there are none, or none that is free near the front. Entries of the index whose jobs are gone are stepped over one by one as long as
-- some old transaction might still see them, so where the last claim ended the next one begins.
-- jobs_no_queue_index gives them in order, so the scan ends after :BATCH_SIZE rows that nobody
-- else holds. Ties of priority and run_at come in any order: `order by …, id` would have to read
-- the whole tie, all rows of one add_jobs call.
-- In the middle of such a tie that index has no place to begin at, and all jobs of it that are gone
-- would be stepped over each time. So `tie` first takes those with the next ids ($8), by the primary
-- key: its other conditions are in a form that no other index serves. A row that is locked does not
-- move, so it is found again by its place.
with tie as materialized (
  select j.ctid as place
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id > $8::bigint and j.id <= $8::bigint + 2 * :BATCH_SIZE
    and (j.is_available, j.job_queue_id, j.priority, date_part('epoch', j.run_at))
      is not distinct from (true, null::integer, $6::smallint, $7::float8)
    and j.task_id = any ($2::integer[])
    and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
  order by j.id
  limit :BATCH_SIZE
  for update skip locked
), rest as materialized (
  select j.ctid as place
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.is_available = true
    and j.job_queue_id is null
    and j.run_at <= coalesce($4::timestamptz, now())
    and j.task_id = any ($2::integer[])
    and ($3::text[] is null or (j.flags ?| $3::text[]) is not true)
    and (j.priority, j.run_at) >= ($6::smallint, to_timestamp($7::float8))
    and (
      j.id > $8::bigint and j.id <= $8::bigint + 2 * :BATCH_SIZE
      and j.priority = $6::smallint and date_part('epoch', j.run_at) = $7::float8
    ) is not true
  order by j.priority, j.run_at
  limit :BATCH_SIZE - (select count(*) from tie)
  for update skip locked
), picked as (
  select tie.place from tie union all select rest.place from rest
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
  case when $5::boolean then date_part('epoch', j.updated_at) end,
  (case when $9::boolean
    then (
      select k.job_queue_id
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as k
      where k.is_available = true and k.job_queue_id is not null
      order by k.job_queue_id
      limit 1
    ) is not null
    else exists (select 1 from :GRAPHILE_WORKER_SCHEMA._private_job_queues)
  end)::integer * 2
