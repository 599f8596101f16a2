-- Adds one job. The caller knows the names of its task and its queue, which saves two lookups.
-- The function stands in `from`: in the select list it would run once for each column.
select
  j.id, $1::text, case when j.job_queue_id is not null then $3::text end, j.payload::text,
  j.priority, :RUN_AT, j.attempts, j.max_attempts, j.last_error, j.key, j.revision, j.flags::text,
  j.created_at, j.updated_at, j.locked_at, j.locked_by,
  case
    when j.locked_at is not null then 'locked'
    when j.attempts >= j.max_attempts then 'failed'
    when j.run_at > now() then 'scheduled'
    else 'ready'
  end
from :GRAPHILE_WORKER_SCHEMA.add_job(
  identifier => $1::text,
  payload => $2::text::json,
  queue_name => $3::text,
  run_at => coalesce($4::timestamptz, now() + $5::double precision * interval '1 second'),
  max_attempts => $6::integer,
  job_key => $7::text,
  priority => $8::integer,
  flags => $9::text[],
  job_key_mode => $10::text
) as j
