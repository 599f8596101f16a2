-- What PostgreSQL itself counts of the table of jobs, in no time. It is written down by each session
-- at the end of its transactions, at most once a second.
select
  clock_timestamp(),
  pg_stat_get_tuples_inserted(c.oid),
  pg_stat_get_tuples_updated(c.oid),
  pg_stat_get_tuples_deleted(c.oid),
  (select d.stats_reset from pg_stat_database as d where d.datname = current_database())
from pg_class as c
where c.oid = to_regclass($1::text)
