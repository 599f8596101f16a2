-- The server, and how many connections the server, the database and the role allow, each with the
-- sessions that count and are not ours. Ours are those of this database: workers of another one are
-- not among those that we know. Of sessions of other roles everybody may see that they are there, and
-- of what name, database and role; not of what type, which has to be concluded: what the server starts
-- for itself has no role. A read-only default of the role or the database does not matter: our
-- sessions set their own.
select
  current_setting('server_version_num')::integer,
  current_setting('server_version'),
  current_database()::text,
  current_user::text,
  pg_is_in_recovery(),
  current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean,
  current_setting('max_connections')::integer
    - current_setting('superuser_reserved_connections')::integer
    - coalesce(current_setting('reserved_connections', true)::integer, 0),
  others.of_the_server,
  (select nullif(d.datconnlimit, -1) from pg_database as d where d.datname = current_database()),
  others.of_the_database,
  (select nullif(r.rolconnlimit, -1) from pg_roles as r where r.rolname = current_user),
  others.of_the_role
from (
  select
    count(*) as of_the_server,
    count(*) filter (where a.datname = current_database()) as of_the_database,
    count(*) filter (where a.usename = current_user) as of_the_role
  from pg_stat_activity as a
  where a.pid <> pg_backend_pid()
    and a.datname is not null and a.usename is not null
    and coalesce(a.backend_type, 'client backend') = 'client backend'
    and not (a.datname = current_database() and a.application_name like 'graphile-worker%')
) as others
