-- The indexes of the schema as far as their meaning goes: names may differ between lineages.
select
  t.relname::text,
  i.relname::text,
  x.indisunique,
  x.indisvalid and x.indisready,
  substring(pg_get_indexdef(i.oid) from ' USING (.*)$')
from pg_index as x
join pg_class as i on i.oid = x.indexrelid
join pg_class as t on t.oid = x.indrelid
join pg_namespace as n on n.oid = t.relnamespace
where n.nspname = $1::text
order by t.relname, i.relname
