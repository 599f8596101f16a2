-- Jobs by id, with optional filters; a search looks at id, key, task, queue, error and payload.
select
  j.id, coalesce(t.identifier, ''), q.queue_name, j.payload::text,
  j.priority, j.run_at, j.attempts, j.max_attempts, j.last_error, j.key, j.revision, j.flags::text,
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
      chr(10), j.id, j.key, t.identifier, q.queue_name, j.last_error, j.payload
    )), lower($3::text)) > 0
  )
  and case $4::text
    when 'all' then true
    when 'locked' then j.locked_at is not null
    when 'failed' then j.locked_at is null and j.attempts >= j.max_attempts
    when 'scheduled' then j.is_available = true and j.run_at > now()
    when 'ready' then j.is_available = true and j.run_at <= now()
  end
order by j.id
limit $5::bigint
offset $6::bigint
