-- All jobs, counted by task, queue, owner and state, in one pass. What depends on workers or on the
-- locks of queues is refined from these few rows; joined before grouping it would cost a join a job.
-- Grouping sets, for totals beside it, took more than twice as long.
select
  coalesce(t.identifier, ''), q.queue_name, q.locked_by, q.locked_at, g.locked_by, g.state, g.jobs,
  g.overdue, g.soon, g.recent, g.old_locks, g.first_run_at, g.first_locked_at
from (
  select
    j.task_id, j.job_queue_id, j.locked_by,
    case
      when j.locked_at is not null then 'locked'
      when j.attempts >= j.max_attempts then 'failed'
      when j.run_at <= now() then 'ready'
      when j.attempts > 0 then 'retrying'
      else 'scheduled'
    end as state,
    count(*) as jobs,
    count(*) filter (
      where greatest(j.run_at, j.created_at) < now() - interval '60 seconds'
    ) as overdue,
    count(*) filter (where j.run_at < now() + interval '1 hour') as soon,
    count(*) filter (
      where j.is_available = false
        and j.locked_at is null
        and greatest(
          j.updated_at,
          least(now(), j.run_at - exp(least(j.attempts, 10)) * interval '1 second')
        ) > now() - interval '1 hour'
    ) as recent,
    count(*) filter (where j.locked_at < now() - interval '4 hours') as old_locks,
    -- Within the years that Python knows, and in no session's zone: docs/decisions/0015.
    greatest('0001-01-01 UTC', least(min(j.run_at), '9999-12-31 23:59:59.999999 UTC')) at time zone 'UTC'
      as first_run_at,
    min(j.locked_at) as first_locked_at
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  group by 1, 2, 3, 4
) as g
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = g.task_id
left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = g.job_queue_id
order by 1, 2 nulls first, 6, 5 nulls first
