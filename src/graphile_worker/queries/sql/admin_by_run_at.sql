-- Jobs that are not due, the next first; otherwise as admin_by_id.sql, after time $31 and id $29. The
-- index begins with the priority: so many of each priority there is, and of them the first.
with recursive priorities as (
  :PRIORITIES
),
scope as materialized (
  select next.id, next.at, next.matches
  from priorities as p
  cross join lateral (
    select j.id, j.run_at as at, (:MATCHES) as matches
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
  order by next.at, next.id
  limit $28::bigint
)
:FOUND_BY_TIME
