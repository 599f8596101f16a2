-- Whether commits of this session wait for the disk, and it may write messages into the log: everybody
-- may, unless the right was taken away or the server knows no such function.
select current_setting('synchronous_commit') <> 'off'
  and coalesce(bool_and(has_function_privilege(p.oid, 'execute')), false)
from pg_proc as p
where p.proname = 'pg_logical_emit_message' and p.pronamespace = 'pg_catalog'::regnamespace
