-- Adds many jobs. The order of the rows is not that of the specs: the caller matches them by
-- content, after it has looked up the names of their tasks and queues (names.sql): those that this
-- very call creates would not be visible to joins here.
select
  j.id, j.task_id, j.job_queue_id, j.payload::text,
  j.priority, j.run_at, j.attempts, j.max_attempts, j.last_error, j.key, j.revision, j.flags::text,
  j.created_at, j.updated_at, j.locked_at, j.locked_by,
  case
    when j.locked_at is not null then 'locked'
    when j.attempts >= j.max_attempts then 'failed'
    when j.run_at > now() then 'scheduled'
    else 'ready'
  end,
  now()
from :GRAPHILE_WORKER_SCHEMA.add_jobs(
  array(
    select row(
      s.identifier, s.payload::json, s.queue_name,
      coalesce(s.run_at, now() + s.delay * interval '1 second'),
      s.max_attempts, s.job_key, s.priority, s.flags::text[]
    ):::GRAPHILE_WORKER_SCHEMA.job_spec
    from unnest(
      $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::double precision[], $6::smallint[],
      $7::text[], $8::smallint[], $9::text[]
    ) as s (
      identifier, payload, queue_name, run_at, delay, max_attempts, job_key, priority, flags
    )
  ),
  $10::boolean
) as j
