-- The same for those who look again and again: one of them is enough.
select pg_try_advisory_xact_lock($1::integer, hashtext($2::text))
