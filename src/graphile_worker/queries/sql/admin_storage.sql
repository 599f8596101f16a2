-- How the tables of the schema are, by name. The estimates are those of PostgreSQL.
select
  c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid), s.n_live_tup, s.n_dead_tup,
  greatest(s.last_autovacuum, s.last_vacuum), greatest(s.last_autoanalyze, s.last_analyze)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
left join pg_stat_user_tables as s on s.relid = c.oid
where n.nspname = $1::text and c.relkind = 'r'
order by c.relname
