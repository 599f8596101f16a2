-- For each pair of a task ($1) and a time ($2), the first attempt of a job of that task that was due
-- then, and how the last one of that job ended. Attempts are in order of their ends only, so each
-- search begins at the time itself and looks at no more than $3 of them; where that was not enough,
-- the last column says so. The outcomes of a job are gathered, since an order with a limit would
-- make PostgreSQL walk all attempts backwards rather than find those of the job.
select
  first.started_at,
  (
    select (array_agg(r.outcome order by r.finished_at desc, r.attempt desc))[1]
    from :GRAPHILE_WORKER_SCHEMA._gwx_run as r
    where r.job_id = first.job_id
  ),
  first.job_id is null and exists (
    select
    from :GRAPHILE_WORKER_SCHEMA._gwx_run as r
    where r.finished_at >= wanted.at
    order by r.finished_at
    offset $3::bigint
  )
from unnest($1::text[], $2::timestamptz[]) with ordinality as wanted (task, at, place)
left join lateral (
  select near.job_id, near.started_at
  from (
    select r.job_id, r.started_at, r.task, r.run_at
    from :GRAPHILE_WORKER_SCHEMA._gwx_run as r
    where r.finished_at >= wanted.at
    order by r.finished_at
    limit $3::bigint
  ) as near
  where near.task = wanted.task and near.run_at = wanted.at
  limit 1
) as first on true
order by wanted.place
