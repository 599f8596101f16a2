-- Attempts of the last $1 seconds, the newest first: the key gives them in order.
select
  r.job_id, r.attempt, r.task, r.queue, r.key, r.run_at, r.started_at, r.finished_at, r.outcome,
  r.worker, r.error, r.trace_id
from :GRAPHILE_WORKER_SCHEMA._gwx_run as r
where r.finished_at >= now() - $1::double precision * interval '1 second'
  and ($2::text is null or r.task = $2::text)
  and ($3::text is null or r.outcome = $3::text)
order by r.finished_at desc, r.job_id desc
limit $4::bigint
