-- After very many new jobs the planner's idea of the table is wrong until autovacuum comes by.
-- A table that somebody else is vacuuming is left alone rather than waited for; without the right
-- to do it PostgreSQL only warns.
analyze (skip_locked) :GRAPHILE_WORKER_SCHEMA._private_jobs
