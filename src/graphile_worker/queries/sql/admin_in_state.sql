-- A part of the statements that find jobs: whether a job is in the state $1 and what else narrows a
-- search at little cost. Planned with its values, it is what is left of it. The states are those of
-- admin_rows.sql. Queues that are held are few, and looked up in a hash: the index has the rest.
case $1::text
  when 'all' then true
  when 'locked' then j.locked_at is not null
  when 'running' then
    j.locked_at >= now() - interval '4 hours'
    and (j.locked_by = any ($2::text[])) is not true
  when 'stuck' then
    j.locked_at < now() - interval '4 hours'
    or (j.locked_at is not null and j.locked_by = any ($2::text[]))
  when 'failed' then j.locked_at is null and j.attempts >= j.max_attempts
  when 'retrying' then j.is_available = true and j.run_at > now() and j.attempts > 0
  when 'scheduled' then j.is_available = true and j.run_at > now() and j.attempts = 0
  when 'blocked' then
    j.is_available = true
    and j.run_at <= now()
    and j.job_queue_id in (
      select held.id
      from :GRAPHILE_WORKER_SCHEMA._private_job_queues as held
      where held.is_available = false
    )
  when 'unclaimed' then
    j.is_available = true
    and greatest(j.run_at, j.created_at) < now() - interval '60 seconds'
    and (j.job_queue_id in (
      select held.id
      from :GRAPHILE_WORKER_SCHEMA._private_job_queues as held
      where held.is_available = false
    )) is not true
    and t.identifier <> all ($3::text[])
  when 'ready' then
    j.is_available = true
    and j.run_at <= now()
    and (j.job_queue_id in (
      select held.id
      from :GRAPHILE_WORKER_SCHEMA._private_job_queues as held
      where held.is_available = false
    )) is not true
    and (
      greatest(j.run_at, j.created_at) >= now() - interval '60 seconds'
      or (t.identifier <> all ($3::text[])) is not true
    )
  when 'waiting' then j.is_available = true and j.run_at <= now()
  when 'later' then j.is_available = true and j.run_at > now()
end
and (
  $4::text is null
  or j.task_id = (
    select task.id from :GRAPHILE_WORKER_SCHEMA._private_tasks as task where task.identifier = $4::text
  )
)
and (
  $5::text is null
  or j.job_queue_id = (
    select queue.id
    from :GRAPHILE_WORKER_SCHEMA._private_job_queues as queue
    where queue.queue_name = $5::text
  )
)
and ($6::text is null or j.key = $6::text)
and ($7::bigint is null or j.id <= $7::bigint)
