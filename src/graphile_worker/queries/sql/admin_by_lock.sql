-- Jobs that are locked, those locked longest first; otherwise as admin_by_id.sql, after time $31 and
-- id $29. There is no index for it.
with scope as materialized (
  select j.id, j.locked_at, (:MATCHES) as matches
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
  left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
  where :IN_STATE
    and j.locked_at is not null
    and ($29::bigint is null or (j.locked_at, j.id) > ($31::text::timestamptz, $29::bigint))
  order by j.locked_at, j.id
  limit $28::bigint
),
found as (
  select s.id, s.locked_at from scope as s where s.matches order by s.locked_at, s.id limit $27::bigint
)
select
  totals.searched, totals.matched, last.id, $30::integer, last.locked_at::text,
  f.id, $30::integer, f.locked_at::text
from (
  select count(*) as searched, count(*) filter (where scope.matches) as matched from scope
) as totals
left join lateral (
  select s.id, s.locked_at from scope as s order by s.locked_at desc, s.id desc limit 1
) as last on true
left join found as f on true
order by f.locked_at, f.id
