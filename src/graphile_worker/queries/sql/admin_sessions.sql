-- The oldest transaction of others that keeps dead rows from being removed, as far as the role may see
-- it, how many connections of this database are ours, and on how many somebody, in whatever language,
-- listens for jobs.
select
  (
    select max(extract(epoch from now() - a.xact_start))::double precision
    from pg_stat_activity as a
    where a.datname = current_database() and a.backend_xmin is not null and a.pid <> pg_backend_pid()
  ),
  (
    select count(*)
    from pg_stat_activity as a
    where a.datname = current_database() and a.application_name like 'graphile-worker%'
  ),
  (
    select count(*)
    from pg_stat_activity as a
    where a.datname = current_database()
      and (a.query ilike 'listen %' or a.application_name like 'graphile-worker%listen')
  ),
  current_setting('server_version'),
  clock_timestamp(),
  current_setting('track_counts')::boolean
