-- What a worker asks now and then: whether anything was ever paused here, and whether a queue waits
-- for its running job to be resumed.
select
  to_regclass($1::text) is not null,
  exists (
    select 1
    from :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
    where starts_with(q.locked_by, 'resuming:')
  )
