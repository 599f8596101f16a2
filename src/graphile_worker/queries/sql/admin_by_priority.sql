-- Ready jobs in the order in which workers take them; otherwise as admin_by_id.sql, after priority
-- $30, time $31 and id $29. The index ends at the time, hence the condition on it for itself.
with scope as materialized (
  select j.id, j.priority, j.run_at, (:MATCHES) as matches
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
  left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
  where :IN_STATE
    and j.is_available = true
    and j.run_at <= now()
    and (
      $29::bigint is null
      or (
        (j.priority, j.run_at) >= ($30::integer, $31::text::timestamptz)
        and (j.priority, j.run_at, j.id) > ($30::integer, $31::text::timestamptz, $29::bigint)
      )
    )
  order by j.priority, j.run_at, j.id
  limit $28::bigint
),
found as (
  select s.id, s.priority, s.run_at
  from scope as s
  where s.matches
  order by s.priority, s.run_at, s.id
  limit $27::bigint
)
select
  totals.searched, totals.matched, last.id, last.priority::integer, last.run_at::text,
  f.id, f.priority::integer, f.run_at::text
from (
  select count(*) as searched, count(*) filter (where scope.matches) as matched from scope
) as totals
left join lateral (
  select s.id, s.priority, s.run_at
  from scope as s
  order by s.priority desc, s.run_at desc, s.id desc
  limit 1
) as last on true
left join found as f on true
order by f.priority, f.run_at, f.id
