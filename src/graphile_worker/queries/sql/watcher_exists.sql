-- Whether some session holds the lock of the one that watches this schema's queue.
select exists (
  select 1
  from pg_locks as l
  where l.locktype = 'advisory'
    and l.granted
    and l.database = (select d.oid from pg_database as d where d.datname = current_database())
    and l.classid = $1::bigint::oid
    and l.objid = (hashtext($2::text)::bigint & 4294967295)::oid
    and l.objsubid = 2
)
