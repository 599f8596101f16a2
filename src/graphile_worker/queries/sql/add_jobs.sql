-- Adds many jobs, wave by wave: the function takes a key once and one preserve_run_at for all.
-- Each call of the function sees what the calls before it did. The join with a lateral function is
-- a loop over the sorted waves, so they come in order; one statement, so all are stored, or none.
--
-- The order of the rows is not that of the specs: the caller matches them by content, after it has
-- looked up the names of their tasks and queues (names.sql): those that this very call creates
-- would not be visible to joins here.
--
-- Payloads come as one JSON array, whose elements keep their text: arrays of texts are slow to
-- write, and each would be parsed for itself. A column without values is null as a whole, so is
-- that of the waves when there is one; an identifier that all jobs share is given once.
select
  j.id, j.task_id, j.job_queue_id, j.payload::text,
  j.priority, :RUN_AT, j.attempts, j.max_attempts, j.last_error, j.key, j.revision, j.flags::text,
  j.created_at, j.updated_at, j.locked_at, j.locked_by,
  case
    when j.locked_at is not null then 'locked'
    when j.attempts >= j.max_attempts then 'failed'
    when j.run_at > now() then 'scheduled'
    else 'ready'
  end,
  now(), waves.wave
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
