-- The days for which attempts can be stored.
select c.relname::text
from pg_inherits as i
join pg_class as c on c.oid = i.inhrelid
where i.inhparent = to_regclass($1::text)
order by c.relname
