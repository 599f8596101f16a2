-- Jobs by id, with optional filters. Below the four states that stats.sql counts there are finer
-- ones; $7 are owners of locks that are known to be dead, $8 the tasks that live workers know, null
-- where that is not known of all of them.
select
  j.id, coalesce(t.identifier, ''), q.queue_name, j.payload::text,
  j.priority, :RUN_AT, j.attempts, j.max_attempts, j.last_error, j.key, j.revision, j.flags::text,
  j.created_at, j.updated_at, j.locked_at, j.locked_by,
  case
    when j.locked_at is not null then 'locked'
    when j.attempts >= j.max_attempts then 'failed'
    when j.run_at > now() then 'scheduled'
    else 'ready'
  end
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
where ($1::text is null or t.identifier = $1::text)
  and ($2::text is null or q.queue_name = $2::text)
  and (
    $3::text is null
    or strpos(lower(pg_catalog.concat_ws(
      chr(10), j.id, j.key, t.identifier, q.queue_name, j.locked_by, j.last_error, j.payload
    )), lower($3::text)) > 0
  )
  and case $4::text
    when 'all' then true
    when 'locked' then j.locked_at is not null
    when 'failed' then j.locked_at is null and j.attempts >= j.max_attempts
    when 'scheduled' then j.is_available = true and j.run_at > now()
    when 'ready' then j.is_available = true and j.run_at <= now()
    when 'stuck' then
      j.locked_at < now() - interval '4 hours'
      or (j.locked_at is not null and j.locked_by = any ($7::text[]))
    when 'running' then
      j.locked_at >= now() - interval '4 hours'
      and (j.locked_by = any ($7::text[])) is not true
    when 'retrying' then j.is_available = true and j.run_at > now() and j.attempts > 0
    when 'blocked' then j.is_available = true and j.run_at <= now() and q.is_available = false
    when 'unclaimed' then
      j.is_available = true
      and greatest(j.run_at, j.created_at) < now() - interval '60 seconds'
      and q.is_available is not false
      and t.identifier <> all ($8::text[])
  end
order by j.id
limit $5::bigint
offset $6::bigint
