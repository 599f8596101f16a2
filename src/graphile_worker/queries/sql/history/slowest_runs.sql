-- Attempts of the last $1 seconds, those first that took longest; reads all of that time.
select
  r.job_id, r.attempt, r.task, r.queue, r.key, r.run_at, r.started_at, r.finished_at, r.outcome,
  r.worker, r.error, r.trace_id
from :GRAPHILE_WORKER_SCHEMA._gwx_run as r
where r.finished_at >= now() - $1::double precision * interval '1 second'
  and ($2::text is null or r.task = $2::text)
  and ($3::text is null or r.outcome = $3::text)
order by r.finished_at - r.started_at desc, r.finished_at desc
limit $4::bigint
