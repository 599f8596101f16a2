-- Whether `add_jobs` is the one of the Rust worker's revision 19, which locks job keys, or the one
-- of Node.js. Nothing in the ledger says so: both call it 19.
select exists (
  select 1
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  where n.nspname = $1::text
    and p.proname = 'add_jobs'
    and p.prosrc like '%pg_advisory_xact_lock%'
)
