-- Until this session ends. The second key is the schema: each has a watcher of its own.
select pg_try_advisory_lock($1::integer, hashtext($2::text))
