-- How vacuum keeps up with the tables of the schema, from the server's own counters: no table is read.
select
  c.relname::text,
  format('%I.%I', n.nspname, c.relname),
  coalesce(s.n_live_tup, 0),
  coalesce(s.n_dead_tup, 0),
  extract(epoch from now() - greatest(s.last_vacuum, s.last_autovacuum))::double precision,
  coalesce(
    (
      select o.option_value::boolean
      from pg_options_to_table(c.reloptions) as o
      where o.option_name = 'autovacuum_enabled'
    ),
    true
  ),
  age(c.relfrozenxid)::bigint
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
left join pg_stat_all_tables as s on s.relid = c.oid
where n.nspname = $1::text and c.relkind = 'r'
order by c.relname
