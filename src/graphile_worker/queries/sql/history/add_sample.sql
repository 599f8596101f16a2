-- The sample of this minute. It reads the table of jobs once: after try_lock and sample_is_due.
insert into :GRAPHILE_WORKER_SCHEMA._gwx_sample (
  at, ins, upd, del, stats_reset, ready, blocked, running, retrying, scheduled, failed,
  oldest_ready, workers
)
select
  date_trunc('minute', now()),
  pg_stat_get_tuples_inserted($1::text::regclass),
  pg_stat_get_tuples_updated($1::text::regclass),
  pg_stat_get_tuples_deleted($1::text::regclass),
  (select d.stats_reset from pg_stat_database as d where d.datname = current_database()),
  count(*) filter (where j.is_available and j.run_at <= now() and q.is_available is not false),
  count(*) filter (where j.is_available and j.run_at <= now() and q.is_available = false),
  count(*) filter (where j.locked_at is not null),
  count(*) filter (where j.is_available and j.run_at > now() and j.attempts > 0),
  count(*) filter (where j.is_available and j.run_at > now() and j.attempts = 0),
  count(*) filter (where j.locked_at is null and j.attempts >= j.max_attempts),
  coalesce(
    extract(
      epoch from now() - min(greatest(j.run_at, '0001-01-01 UTC'))
        filter (where j.is_available and j.run_at <= now())
    ),
    0
  )::double precision,
  (
    select count(*)
    from :GRAPHILE_WORKER_SCHEMA._private_workers as w
    where w.last_heartbeat_at > now() - interval '5 minutes'
  )
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
left join :GRAPHILE_WORKER_SCHEMA._private_job_queues as q on q.id = j.job_queue_id
on conflict (at) do nothing
