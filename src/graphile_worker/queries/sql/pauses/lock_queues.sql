-- One at a time resumes queues: whether a job runs in a queue must be seen by a statement that
-- begins after the last one who freed it has committed.
select pg_advisory_xact_lock($1::integer, hashtext($2::text))
