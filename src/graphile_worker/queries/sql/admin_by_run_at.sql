-- Jobs that are not due, the next first; otherwise as admin_by_id.sql, after time $31 and id $29. The
-- index begins with the priority: so many of each priority there is, and of them the first.
with recursive priorities as (
  (
    select j.priority
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.is_available = true
    order by j.priority
    limit 1
  )
  union all
  select (
    select j.priority
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    where j.is_available = true and j.priority > p.priority
    order by j.priority
    limit 1
  )
  from priorities as p
  where p.priority is not null
),
scope as materialized (
  select next.id, next.run_at, next.matches
  from priorities as p
  cross join lateral (
    select j.id, j.run_at, (:MATCHES) as matches
    from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
    left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
    left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
    where :IN_STATE
      and j.is_available = true
      and j.priority = p.priority
      and j.run_at > now()
      and (
        $29::bigint is null
        or (
          j.run_at >= $31::text::timestamptz
          and (j.run_at, j.id) > ($31::text::timestamptz, $29::bigint)
        )
      )
    order by j.run_at, j.id
    limit $28::bigint
  ) as next
  where p.priority is not null
  order by next.run_at, next.id
  limit $28::bigint
),
found as (
  select s.id, s.run_at from scope as s where s.matches order by s.run_at, s.id limit $27::bigint
)
select
  totals.searched, totals.matched, last.id, $30::integer, last.run_at::text,
  f.id, $30::integer, f.run_at::text
from (
  select count(*) as searched, count(*) filter (where scope.matches) as matched from scope
) as totals
left join lateral (
  select s.id, s.run_at from scope as s order by s.run_at desc, s.id desc limit 1
) as last on true
left join found as f on true
order by f.run_at, f.id
