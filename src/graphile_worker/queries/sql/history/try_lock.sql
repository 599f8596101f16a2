-- One at a time takes a sample, or tidies up; the others need not.
select pg_try_advisory_xact_lock($1::integer, hashtext($2::text))
