-- Adds one job with unsafe_dedupe: the job that has its key already may be of another task or queue.
-- A task or queue that this very call creates is not visible to the joins yet, and then it is the
-- one that was asked for.
select
  j.id,
  coalesce(t.identifier, $1::text),
  case when j.job_queue_id is not null then coalesce(q.queue_name, $3::text) end,
  j.payload::text,
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
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
