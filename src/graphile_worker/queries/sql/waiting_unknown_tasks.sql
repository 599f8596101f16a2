-- Tasks with jobs that are due and that this worker does not know. Asked for by an idle worker
-- only: then few due jobs stand before the one that answers `exists`.
select t.identifier
from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
where t.id <> all ($1::integer[])
  and exists (
    select 1
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.is_available = true and j.run_at <= now() and j.task_id = t.id
  )
order by t.identifier
limit 20
