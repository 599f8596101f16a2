-- All that the runner and the checks want to know, in one round trip, and no error whatever is
-- missing or forbidden: an error would end the transaction that a caller may be in.
with schema as (
  select n.oid, has_schema_privilege(n.oid, 'usage') as usable
  from pg_catalog.pg_namespace as n
  where n.nspname = $1::text
),
tables as (
  select c.oid, c.relname, c.relrowsecurity, pg_get_userbyid(c.relowner)::text as owner
  from pg_catalog.pg_class as c
  join schema on schema.oid = c.relnamespace
  where c.relkind in ('r', 'p')
  and (c.relname = 'migrations' or c.relname like '\_private\_%')
),
ledger as (
  select
    tables.owner,
    schema.usable and has_table_privilege(tables.oid, 'select') as readable,
    exists (
      select from pg_catalog.pg_attribute as a
      where a.attrelid = tables.oid and a.attname = 'breaking' and not a.attisdropped
    ) as has_breaking
  from tables, schema
  where tables.relname = 'migrations'
),
-- A plain select from the ledger does not even parse where there is none. ts_stat() runs a query
-- given as text, on every build of PostgreSQL (query_to_xml() needs libxml), and only for a row
-- of `ledger` that may be read. Its one word is the answer, as JSON.
revisions as (
  select stat.word::json as revision
  from ledger
  cross join lateral ts_stat(
    case when ledger.readable then format(
      $query$
        select array_to_tsvector(array[json_build_object(
          'latest', max(l.id),
          'breaking', max(l.id) filter (where to_jsonb(l) ->> 'breaking' = 'true')
        )::text])
        from %I.migrations as l
      $query$,
      $1::text
    ) end
  ) as stat
)
select
  current_setting('server_version_num')::integer,
  current_setting('server_encoding'),
  current_database()::text,
  current_user::text,
  exists (select from schema),
  (select owner from ledger),
  coalesce((select readable from ledger), false),
  coalesce((select has_breaking from ledger), false),
  (select (revision ->> 'latest')::integer from revisions),
  (select (revision ->> 'breaking')::integer from revisions),
  (select owner from tables where relname = '_private_jobs'),
  exists (select from tables where relname = '_private_workers'),
  exists (select from tables where relrowsecurity and row_security_active(tables.oid)),
  (
    select i.indisvalid
    from schema
    join pg_catalog.pg_class as c on c.relnamespace = schema.oid
    join pg_catalog.pg_index as i on i.indexrelid = c.oid
    where c.relname = 'graphile_worker_py_queue_heads'
  )
