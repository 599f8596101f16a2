-- The jobs that no index of the schema finds, in one pass over the table: those that are locked, tried
-- again, failed, or have an error that no worker is about. Of each kind the first $1 in the order in
-- which it is shown, and how many there are. A job that was locked counts as tried, mostly; what
-- somebody locked by hand does not.
with tried as materialized (
  select
    j.id, j.run_at, j.locked_at,
    j.attempts >= j.max_attempts as is_spent,
    j.last_error is not null as has_error
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.attempts > 0 or j.locked_at is not null
)
select
  'locked',
  (select count(*) from tried as t where t.locked_at is not null),
  array(
    select t.id from tried as t
    where t.locked_at is not null
    order by t.locked_at, t.id
    limit $1::bigint
  )
union all
select
  'retrying',
  (select count(*) from tried as t where t.locked_at is null and not t.is_spent and t.run_at > now()),
  array(
    select t.id from tried as t
    where t.locked_at is null and not t.is_spent and t.run_at > now()
    order by t.run_at, t.id
    limit $1::bigint
  )
union all
select
  'failed',
  (select count(*) from tried as t where t.locked_at is null and t.is_spent),
  array(
    select t.id from tried as t
    where t.locked_at is null and t.is_spent
    order by t.id desc
    limit $1::bigint
  )
union all
select
  'with_error',
  (select count(*) from tried as t where t.locked_at is null and t.has_error),
  array(
    select t.id from tried as t
    where t.locked_at is null and t.has_error
    order by t.id desc
    limit $1::bigint
  )
