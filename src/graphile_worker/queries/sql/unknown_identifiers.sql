-- Task identifiers that no live worker knows, and whether there are jobs of them. Nothing, while
-- some live worker does not say what it knows: it may be the one. Jobs whose task is not in the
-- table at all, for which no worker can ask, come under null.
with alive as (
  select w.metadata -> 'tasks' as tasks
  from :GRAPHILE_WORKER_SCHEMA._private_workers as w
  where w.last_heartbeat_at > now() - $1::double precision * interval '1 second'
), present as materialized (
  select j.task_id, count(*) as jobs
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  group by j.task_id
)
select t.identifier, coalesce(present.jobs, 0)
from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
left join present on present.task_id = t.id
where exists (select 1 from alive)
  and not exists (
    select 1
    from alive
    where coalesce(jsonb_typeof(alive.tasks), '') <> 'array' or alive.tasks ? t.identifier
  )
union all
select null, sum(present.jobs)::bigint
from present
where not exists (
  select 1 from :GRAPHILE_WORKER_SCHEMA._private_tasks as t where t.id = present.task_id
)
having sum(present.jobs) > 0
order by 1
