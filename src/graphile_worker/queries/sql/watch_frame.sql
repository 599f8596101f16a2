-- All that one frame of a live view shows, in one statement whose cost does not grow with the table.
--
-- Due and later jobs are counted on jobs_main_index, in the order in which workers take them and $2
-- at most, so that neither a backlog nor a calendar of millions is read; that index is also asked for
-- the first job of each of up to 100 priorities. Running, retrying and failed jobs have no index: all
-- of a table up to $3 bytes is looked at, and of a larger one the $4 oldest and the $4 newest jobs.
-- The `complete`s say whether the numbers are all there is. $1: the table's name; $5 seconds of
-- silence, after which a worker counts as dead.
with recursive priorities (priority, position) as (
  (
    select j.priority, 1
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.is_available = true
    order by j.priority
    limit 1
  )
  union all
  select
    (
      select j.priority
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.is_available = true and j.priority > p.priority
      order by j.priority
      limit 1
    ),
    p.position + 1
  from priorities as p
  where p.priority is not null and p.position < 100
), first_due as materialized (
  select min(greatest(d.run_at, '0001-01-01 UTC')) as run_at
  from priorities as p
  cross join lateral (
    select j.run_at
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.is_available = true and j.priority = p.priority and j.run_at <= now()
    order by j.run_at
    limit 1
  ) as d
), due as materialized (
  select d.task_id, d.run_at
  from priorities as p
  cross join lateral (
    select j.task_id, j.run_at
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.is_available = true and j.priority = p.priority and j.run_at <= now()
    order by j.run_at
    limit $2::bigint
  ) as d
  limit $2::bigint
), later as materialized (
  select 1
  from priorities as p
  cross join lateral (
    select 1
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.is_available = true and j.priority = p.priority and j.run_at > now()
    order by j.run_at
    limit $2::bigint
  ) as d
  limit $2::bigint
), size as materialized (
  select pg_relation_size(to_regclass($1::text)) > $3::bigint as is_big
), seen as materialized (
  select
    j.id, j.task_id, j.run_at, j.attempts, j.max_attempts, j.updated_at, j.locked_at, j.locked_by,
    left(j.last_error, 500) as last_error
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where not (select is_big from size)
    and (j.is_available = false or j.attempts > 0)
  union
  select
    j.id, j.task_id, j.run_at, j.attempts, j.max_attempts, j.updated_at, j.locked_at, j.locked_by,
    left(j.last_error, 500)
  from (
    (
      select *
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as o
      where (select is_big from size)
      order by o.id
      limit $4::bigint
    )
    union all
    (
      select *
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as n
      where (select is_big from size)
      order by n.id desc
      limit $4::bigint
    )
  ) as j
  where j.is_available = false or j.attempts > 0
), states as materialized (
  select
    seen.*,
    case
      when seen.locked_at is not null then 'running'
      when seen.attempts >= seen.max_attempts then 'failed'
      when seen.run_at > now() then 'retrying'
      else 'ready'
    end as state
  from seen
), per_task as (
  select coalesce(d.task_id, s.task_id) as task_id, d.ready, d.oldest, s.running, s.retrying, s.failed
  from (
    select
      due.task_id, count(*) as ready, min(greatest(due.run_at, '0001-01-01 UTC')) as oldest
    from due
    group by due.task_id
  ) as d
  full join (
    select
      states.task_id,
      count(*) filter (where states.state = 'running') as running,
      count(*) filter (where states.state = 'retrying') as retrying,
      count(*) filter (where states.state = 'failed') as failed
    from states
    group by states.task_id
  ) as s on s.task_id = d.task_id
), tasks as (
  select
    coalesce(t.identifier, '?') as task,
    coalesce(per_task.ready, 0) as ready,
    coalesce(per_task.running, 0) as running,
    coalesce(per_task.retrying, 0) as retrying,
    coalesce(per_task.failed, 0) as failed,
    extract(epoch from now() - per_task.oldest)::double precision as oldest_seconds
  from per_task
  left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = per_task.task_id
  where per_task.ready > 0 or per_task.running > 0 or per_task.retrying > 0 or per_task.failed > 0
  order by ready + running + retrying desc, failed desc, task
  limit 200
), holding as (
  select states.locked_by, count(*) as jobs
  from states
  where states.state = 'running'
  group by states.locked_by
), workers as (
  select
    coalesce(w.id, holding.locked_by) as worker_id,
    w.metadata ->> 'host' as host,
    w.metadata ->> 'pid' as pid,
    case when jsonb_typeof(w.metadata -> 'concurrency') = 'number'
      then (w.metadata ->> 'concurrency')::numeric::bigint
    end as slots,
    coalesce(holding.jobs, 0) as running,
    extract(epoch from now() - w.last_heartbeat_at)::double precision as silent_seconds,
    coalesce(w.last_heartbeat_at < now() - $5::double precision * interval '1 second', false)
      as is_silent
  from :GRAPHILE_WORKER_SCHEMA._private_workers as w
  full join holding on holding.locked_by = w.id
  order by is_silent, running desc, worker_id
  limit 200
), errors as (
  select
    states.id,
    coalesce(t.identifier, '?') as task,
    states.attempts,
    states.max_attempts,
    states.last_error as error
  from states
  left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = states.task_id
  where states.last_error is not null
  -- A failure is stored with the time of the next try: take the backoff off again.
  order by greatest(
    states.updated_at,
    least(now(), states.run_at - exp(least(states.attempts, 10)) * interval '1 second')
  ) desc, states.id desc
  limit 20
)
select
  json_build_object(
    'now', extract(epoch from clock_timestamp())::double precision,
    'ready', (select count(*) from due),
    'ready_complete', (select count(*) from due) < $2::bigint and not exists (
      select 1 from priorities where priorities.position = 100
    ),
    'scheduled', (select count(*) from later),
    'scheduled_complete', (select count(*) from later) < $2::bigint,
    'running', (select count(*) from states where states.state = 'running'),
    'retrying', (select count(*) from states where states.state = 'retrying'),
    'failed', (select count(*) from states where states.state = 'failed'),
    'complete', not (select is_big from size),
    'oldest_seconds', (
      select extract(epoch from now() - first_due.run_at)::double precision from first_due
    ),
    'added', pg_stat_get_tuples_inserted(to_regclass($1::text)),
    'done', pg_stat_get_tuples_deleted(to_regclass($1::text)),
    'tasks', (select coalesce(json_agg(tasks), '[]') from tasks),
    'workers', (select coalesce(json_agg(workers), '[]') from workers),
    'errors', (select coalesce(json_agg(errors), '[]') from errors)
  )::text
