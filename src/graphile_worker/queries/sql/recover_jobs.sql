-- Frees the jobs of dead workers ($1): all of them, or, where $5 is given, those listed there as they
-- were seen, each with what to do: $7 0 the attempt is given back and the job waits $2 seconds, 1 it
-- failed, 2 it runs at $8 with $9 attempts made.
--
-- The number of deaths in a row stands in last_error; any other outcome overwrites it. After $3 of
-- them the attempt counts. An attempt is not given back to a job that was superseded while it ran (a
-- newer job took its key: attempts at the maximum, no key, changed since the claim), which would
-- otherwise run once more. With use_local_time the claim may seem to be older than the job, which says
-- nothing. Of owners that are not registered only locks older than $11 seconds are taken: a younger one
-- says that its owner may be alive. A row that somebody has locked is left for the next sweep.
with told as (
  select *
  from unnest(
    $5::bigint[], $6::timestamptz[], $7::smallint[], $8::timestamptz[], $9::smallint[]
  ) as t (id, locked_at, action, run_at, attempts)
), dead as materialized (
  select
    j.id,
    coalesce(told.action, 0) as action,
    told.run_at as told_run_at,
    told.attempts as told_attempts,
    case
      when j.last_error = $4::text then 2
      when j.last_error ~ ('^' || $4::text || ' \(\d{1,4} times in a row\)$')
      then substring(j.last_error from '\((\d+) times')::integer + 1
      else 1
    end as times,
    (
      j.attempts = j.max_attempts
      and j.key is null
      and j.updated_at > greatest(j.locked_at, j.created_at)
    ) as superseded
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  left join told on told.id = j.id and told.locked_at = j.locked_at
  where j.locked_by = any ($1::text[])
    and ($5::bigint[] is null or told.id is not null)
    and (
      j.locked_at < now() - $11::double precision * interval '1 second'
      or exists (
        select 1 from :GRAPHILE_WORKER_SCHEMA._private_workers as w where w.id = j.locked_by
      )
    )
  for update of j skip locked
)
update :GRAPHILE_WORKER_SCHEMA._private_jobs as j
set attempts = case
      when dead.told_attempts is not null then dead.told_attempts
      when dead.action = 1 or dead.superseded then j.attempts
      when dead.action = 0 and dead.times > $3::integer then j.attempts
      else greatest(0, j.attempts - 1)
    end,
    run_at = case
      when dead.action = 2 then dead.told_run_at
      else greatest(
        j.run_at,
        now() + $2::double precision * interval '1 second',
        case
          when dead.action = 1 or dead.times > $3::integer
          then now() + exp(least(j.attempts, 10)) * interval '1 second'
        end
      )
    end,
    last_error = case
      when dead.action = 1 then $10::text
      when dead.times = 1 then $4::text
      else $4::text || ' (' || dead.times || ' times in a row)'
    end,
    updated_at = now(),
    locked_by = null,
    locked_at = null
from dead
where j.id = dead.id
returning
  j.id, j.attempts, j.max_attempts, dead.times,
  dead.action = 0 and dead.times > $3::integer and not dead.superseded,
  (
    select t.identifier
    from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
    where t.id = j.task_id
  )
