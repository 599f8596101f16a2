-- What can be known every two seconds, whatever the size of the table: PostgreSQL's own counters, the
-- ready jobs up to $2 of them, and the oldest of them, by one look into the index for each priority
-- there is.
with recursive priorities as (
  :PRIORITIES
)
select
  clock_timestamp(),
  s.n_tup_ins, s.n_tup_upd, s.n_tup_del,
  (select d.stats_reset from pg_stat_database as d where d.datname = current_database()),
  (
    select least(coalesce(sum(ready.jobs), 0), $2::bigint)::bigint
    from priorities as p
    cross join lateral (
      select count(*) as jobs
      from (
        select 1
        from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
        where j.is_available = true and j.priority = p.priority and j.run_at <= now()
        order by j.run_at
        limit $2::bigint
      ) as due
    ) as ready
    where p.priority is not null
  ),
  (
    select min((
      select greatest(j.run_at, '0001-01-01 UTC') at time zone 'UTC'
      from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
      where j.is_available = true and j.priority = p.priority and j.run_at <= now()
      order by j.run_at
      limit 1
    ))
    from priorities as p
    where p.priority is not null
  ),
  row_security_active($1::text::regclass)
from (select 1) as one
left join pg_stat_user_tables as s on s.relid = $1::text::regclass
