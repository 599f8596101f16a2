-- Jobs in a state, the newest first: of the next $28 of them after id $29 those that match, at most
-- $27. The search ends there, so that it costs the same in a table of any size. $30 are the jobs that
-- may be of that state, where they are known; null for all.
with scope as materialized (
  select j.id, (:MATCHES) as matches
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
  left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
  where :IN_STATE
    and ($29::bigint is null or j.id < $29::bigint)
    and ($30::bigint[] is null or j.id = any ($30::bigint[]))
  order by j.id desc
  limit $28::bigint
),
found as (
  select s.id from scope as s where s.matches order by s.id desc limit $27::bigint
)
select
  totals.searched, totals.matched, totals.last_id, null::integer, null::text,
  f.id, null::integer, null::text
from (
  select
    count(*) as searched, count(*) filter (where scope.matches) as matched, min(scope.id) as last_id
  from scope
) as totals
left join found as f on true
order by f.id desc
