-- The clock of the database, and when its server was started.
select pg_catalog.clock_timestamp(), pg_catalog.pg_postmaster_start_time()
