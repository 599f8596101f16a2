-- Writes a message into the log that nobody reads, and waits for the disk as it commits: PostgreSQL
-- brings its log there in order, so that all that was committed before comes along. A commit that
-- writes nothing would not wait.
select pg_catalog.pg_logical_emit_message(true, 'graphile_worker', '')
