-- Tasks with jobs that have been due for $1 seconds although no worker that sends heartbeats knows
-- the task. Nothing, while some live worker does not say what it knows: it may be the one.
with alive as (
  select w.metadata -> 'tasks' as tasks
  from :GRAPHILE_WORKER_SCHEMA._private_workers as w
  where w.last_heartbeat_at > now() - interval '5 minutes'
)
select t.identifier
from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
where exists (select 1 from alive)
  and not exists (
    select 1 from alive where coalesce(jsonb_typeof(alive.tasks), '') <> 'array' or alive.tasks ? t.identifier
  )
  and exists (
    select 1
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.is_available = true
      and j.task_id = t.id
      and j.run_at <= now() - $1::double precision * interval '1 second'
  )
order by t.identifier
limit 20
