-- What went wrong, grouped by task and kind of error: of the newest $1 jobs with an error that no
-- worker holds; $2 a task, or null for all; $4 the jobs to look at, or null for all. The times are
-- those of the failures, worked out from the delay that was added to them. What errors have in common
-- is worked out after the newest were picked, hence `materialized`: it takes longer than to find them.
with newest as materialized (
  select j.id, j.task_id, j.last_error, j.attempts, j.max_attempts, j.updated_at, j.run_at
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.locked_at is null
    and j.attempts > 0
    and j.last_error is not null
    and (
      $2::text is null
      or j.task_id = (
        select task.id
        from :GRAPHILE_WORKER_SCHEMA._private_tasks as task
        where task.identifier = $2::text
      )
    )
    and ($4::bigint[] is null or j.id = any ($4::bigint[]))
  order by j.id desc
  limit $1::bigint
)
select
  coalesce(t.identifier, ''), g.fingerprint, g.failed, g.retrying, g.first_at, g.last_at, g.first_id,
  g.last_id, g.ids, g.seconds, g.sample, sum(g.failed + g.retrying) over ()
from (
  select
    f.task_id, f.fingerprint,
    count(*) filter (where f.is_spent) as failed,
    count(*) filter (where not f.is_spent) as retrying,
    min(f.at) as first_at,
    max(f.at) as last_at,
    min(f.id) as first_id,
    max(f.id) as last_id,
    (array_agg(f.id order by f.id desc))[1:5] as ids,
    (array_agg(extract(epoch from now() - f.at)::double precision order by f.id desc))[1:1000]
      as seconds,
    (array_agg(left(f.last_error, 2000) order by f.id desc))[1] as sample
  from (
    select
      j.id, j.task_id, j.last_error,
      j.attempts >= j.max_attempts as is_spent,
      :FINGERPRINT as fingerprint,
      greatest(
        j.updated_at,
        least(now(), j.run_at - exp(least(j.attempts, 10)) * interval '1 second')
      ) as at
    from newest as j
  ) as f
  group by f.task_id, f.fingerprint
) as g
left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = g.task_id
order by g.failed + g.retrying desc, g.last_id desc
limit $3::bigint
