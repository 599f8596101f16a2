-- One sweep at a time in a database, until the end of the transaction. The numbers are those that
-- the Rust workers use: 'GWRS' and 'SWEP'.
select pg_try_advisory_xact_lock(1196905043, 1398228304)
