-- Adds many jobs as add_jobs.sql does, for callers that do not want to see them. Answers with how
-- many were stored, and their keys, which tell which one was not.
select count(*), pg_catalog.array_agg(j.key) filter (where j.key is not null)
from (
  select
    coalesce(s.wave, 1) as wave,
    pg_catalog.array_agg(
      row(
        coalesce(s.identifier, ($1::text[])[1]), s.payload, s.queue_name,
        coalesce(s.run_at, now() + s.delay * interval '1 second'),
        s.max_attempts, s.job_key, s.priority, s.flags::text[]
      ):::GRAPHILE_WORKER_SCHEMA.job_spec
    ) as specs
  from rows from (
    json_array_elements($2::text::json),
    unnest(
      $1::text[], $3::text[], $4::timestamptz[], $5::double precision[], $6::smallint[],
      $7::text[], $8::smallint[], $9::text[], $10::integer[]
    )
  ) as s (
    payload, identifier, queue_name, run_at, delay, max_attempts, job_key, priority, flags, wave
  )
  group by 1
  order by 1
) as waves
cross join lateral :GRAPHILE_WORKER_SCHEMA.add_jobs(
  specs => waves.specs,
  job_key_preserve_run_at => ($11::boolean[])[waves.wave]
) as j
