-- Deletes the identifiers of tasks without jobs, but for those to be kept.
with deleted as (
  delete from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
  where t.identifier <> all ($1::text[])
    and not exists (
      select 1 from :GRAPHILE_WORKER_SCHEMA._private_jobs as j where j.task_id = t.id
    )
  returning 1
)
select count(*) from deleted
