-- Hands back jobs that failed, were snoozed or were interrupted; fences, blocked jobs and queues
-- as in release_completed.sql.
--
-- $8: seconds to wait, null for Graphile's exp(min(attempts, 10)). $9: what becomes of the
-- attempts: 0 stay as they are, 1 exhausted (no retry), -1 this one is given back, -2 the same for
-- a job that never ran, whose run_at stays too. It is not given back to a job that was superseded
-- meanwhile (a newer job took its key, or it was removed: attempts were set to the maximum and the
-- key to null), which would otherwise run once more.
-- $11: how many attempts count, whatever $9 says; null in almost all cases.
with held as materialized (
  select *
  from unnest(
    $2::bigint[], $3::float8[], $4::integer[], $5::smallint[], $6::text[], $7::text[],
    $8::double precision[], $9::smallint[], $10::boolean[], $11::smallint[]
  ) as h (id, locked_at, queue_id, attempts, error, payload, delay, verdict, had_key, counted)
), locked as materialized (
  select j.id, date_part('epoch', j.locked_at) as locked_at
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any ($2::bigint[]) and j.locked_by = $1::text
  for update skip locked
), free as materialized (
  select locked.id, locked.locked_at
  from locked
  where ((locked.id, locked.locked_at) in (select held.id, held.locked_at from held)) is true
), done as (
  update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  set attempts = case
        when held.verdict = 1 then j.max_attempts
        when held.counted is not null and not (held.had_key and j.key is null) then held.counted
        when held.verdict < 0
          and j.attempts = held.attempts
          and not (held.had_key and j.key is null)
        then greatest(0, j.attempts - 1)
        else j.attempts
      end,
      run_at = case
        when held.verdict = -2 then j.run_at
        else greatest(now(), j.run_at)
          + coalesce(held.delay, exp(least(held.attempts, 10))) * interval '1 second'
      end,
      last_error = coalesce(held.error, j.last_error),
      payload = coalesce(held.payload::json, j.payload),
      updated_at = case when held.verdict = -1 then now() else j.updated_at end,
      locked_by = null,
      locked_at = null
  from free
  join held on held.id = free.id and held.locked_at = free.locked_at
  where j.id = free.id
  returning j.id
), blocked as materialized (
  select j.id
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.id = any ($2::bigint[])
    and j.locked_by = $1::text
    and ((j.id, date_part('epoch', j.locked_at)) in (select held.id, held.locked_at from held))
      is true
    and j.id not in (select free.id from free)
), left_queues as materialized (
  select held.queue_id as id from held
  except
  select held.queue_id from held where held.id in (select blocked.id from blocked)
), unlocked as (
  update :GRAPHILE_WORKER_SCHEMA._private_job_queues as q
  set locked_by = null, locked_at = null
  where q.id = any (array(select l.id from left_queues as l))
    and q.locked_by = $1::text
    and ((q.id, date_part('epoch', q.locked_at)) in (select held.queue_id, held.locked_at from held))
      is true
)
select done.id, true from done
union all
select blocked.id, false from blocked
