-- To the Python workers of all schemas of this database; each looks whether it is about its own.
select pg_notify('graphile_worker:pause', $1::text)
