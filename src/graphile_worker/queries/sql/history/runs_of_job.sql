-- The attempts of one job, in the order in which they ended.
select
  r.job_id, r.attempt, r.task, r.queue, r.key, r.run_at, r.started_at, r.finished_at, r.outcome,
  r.worker, r.error, r.trace_id
from :GRAPHILE_WORKER_SCHEMA._gwx_run as r
where r.job_id = $1::bigint
order by r.finished_at, r.attempt
