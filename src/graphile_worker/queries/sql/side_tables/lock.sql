-- One at a time makes or removes side tables: two `create table if not exists` can still clash.
select pg_advisory_xact_lock($1::integer, hashtext($2::text))
