-- The server, and how many connections workers can have of it: the smallest of what the server, the
-- database and the role allow. Other sessions are those that are not ours; the sessions of other
-- roles are counted too, since everybody may see that they are there. A read-only default of the role
-- or the database does not matter: our sessions set their own.
select
  current_setting('server_version_num')::integer,
  current_setting('server_version'),
  current_database()::text,
  current_user::text,
  pg_is_in_recovery(),
  current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean,
  least(
    current_setting('max_connections')::integer
      - current_setting('superuser_reserved_connections')::integer
      - coalesce(current_setting('reserved_connections', true)::integer, 0),
    (select nullif(d.datconnlimit, -1) from pg_database as d where d.datname = current_database()),
    (select nullif(r.rolconnlimit, -1) from pg_roles as r where r.rolname = current_user)
  ),
  (
    select count(*)
    from pg_stat_activity as a
    where a.backend_type = 'client backend'
      and a.pid <> pg_backend_pid()
      and a.application_name not like 'graphile-worker%'
  )
