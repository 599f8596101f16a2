-- Jobs that are locked, those locked longest first; otherwise as admin_by_id.sql, after time $31 and
-- id $29. There is no index for it: where they are known, $32 are the jobs that may be locked.
with scope as materialized (
  select j.id, j.locked_at as at, (:MATCHES) as matches
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
  left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
  where :IN_STATE
    and j.locked_at is not null
    and ($29::bigint is null or (j.locked_at, j.id) > ($31::text::timestamptz, $29::bigint))
    and ($32::bigint[] is null or j.id = any ($32::bigint[]))
  order by j.locked_at, j.id
  limit $28::bigint
)
:FOUND_BY_TIME
