-- Jobs by id, in the order of $1, with the state that page and API show. $2 are owners of locks that
-- are known to be dead, $3 the tasks that live workers know, null where that is not known of all of
-- them. Of payloads the first $4 characters, and nothing of one that takes more than $5 bytes; of
-- errors the first $6 characters.
select
  j.id, coalesce(t.identifier, ''), q.queue_name, j.priority,
  :RUN_AT,
  j.attempts, j.max_attempts, j.key, j.revision, j.flags::text, j.created_at, j.updated_at, j.locked_at, j.locked_by,
  left(j.last_error, $6::integer),
  length(j.last_error),
  case
    when $4::integer > 0 and pg_column_size(j.payload) <= $5::integer
    then left(j.payload::text, $4::integer)
  end,
  pg_column_size(j.payload),
  case
    when j.locked_at < now() - interval '4 hours' then 'stuck'
    when j.locked_at is not null and j.locked_by = any ($2::text[]) then 'stuck'
    when j.locked_at is not null then 'running'
    when j.attempts >= j.max_attempts then 'failed'
    when j.run_at > now() and j.attempts > 0 then 'retrying'
    when j.run_at > now() then 'scheduled'
    when q.is_available = false then 'blocked'
    when greatest(j.run_at, j.created_at) < now() - interval '60 seconds'
      and t.identifier <> all ($3::text[]) then 'unclaimed'
    else 'ready'
  end,
  case
    when j.locked_at is null and j.attempts > 0 and j.last_error is not null
    then greatest(
      j.updated_at,
      least(now(), j.run_at - exp(least(j.attempts, 10)) * interval '1 second')
    )
  end,
  q.locked_at, q.locked_by, now()
from unnest($1::bigint[]) with ordinality as wanted (id, place)
join :GRAPHILE_WORKER_SCHEMA._private_jobs as j on j.id = wanted.id
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
order by wanted.place
