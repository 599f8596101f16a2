-- Attempts that have ended. Those that are there already were sent before.
insert into :GRAPHILE_WORKER_SCHEMA._gwx_run (
  job_id, attempt, finished_at, task, queue, key, run_at, started_at, outcome, worker, error,
  trace_id
)
select *
from unnest(
  $1::bigint[], $2::integer[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
  $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::text[]
)
on conflict do nothing
