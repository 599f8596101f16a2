-- The attempts of one job.
create index if not exists _gwx_run_job on :GRAPHILE_WORKER_SCHEMA._gwx_run (job_id)
