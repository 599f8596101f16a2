-- What this role would have to be granted to work in the schema: the tables and their privileges,
-- and the functions that add jobs and say that a worker is alive.
with schema as (
  select n.oid, n.nspname from pg_namespace as n where n.nspname = $1::text
)
select format('usage on schema %I', schema.nspname)
from schema
where not has_schema_privilege(schema.oid, 'usage')
union all
select format('%s on %I.%I', wanted.privilege, schema.nspname, c.relname)
from schema
join pg_class as c
  on c.relnamespace = schema.oid and c.relkind in ('r', 'p') and c.relname like '\_private\_%'
cross join (values ('select'), ('insert'), ('update'), ('delete')) as wanted (privilege)
where not has_table_privilege(c.oid, wanted.privilege)
union all
select format('execute on function %s', p.oid::regprocedure)
from schema
join pg_proc as p
  on p.pronamespace = schema.oid
  and p.proname in ('add_job', 'add_jobs', 'remove_job', 'worker_heartbeat', 'worker_deregister')
where not has_function_privilege(p.oid, 'execute')
order by 1
