-- Jobs that wait for another attempt, the next first; otherwise as admin_by_id.sql, after time $31 and
-- id $29. No index has the number of attempts: where few jobs are retried, the indexes would be read
-- to their ends, which takes far longer than the table. Where they are known, $32 are the jobs that
-- may be of them.
with scope as materialized (
  select j.id, j.run_at as at, (:MATCHES) as matches
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  left join :GRAPHILE_WORKER_SCHEMA._private_tasks as t on t.id = j.task_id
  left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
  where :IN_STATE
    and j.is_available = true
    and j.run_at > now()
    and j.attempts > 0
    and ($29::bigint is null or (j.run_at, j.id) > ($31::text::timestamptz, $29::bigint))
    and ($32::bigint[] is null or j.id = any ($32::bigint[]))
  order by j.run_at, j.id
  limit $28::bigint
)
:FOUND_BY_TIME
