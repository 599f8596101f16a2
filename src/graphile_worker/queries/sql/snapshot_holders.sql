-- What keeps vacuum from rows that were deleted since: open transactions, prepared ones and
-- replication slots, the oldest first. Other roles' transactions are seen by superusers and members
-- of pg_monitor. A slot has no time; -1 stands for it.
select holder.what, holder.seconds
from (
  select
    format(
      'session %s (%s, %s)', a.pid, coalesce(nullif(a.application_name, ''), 'no name'), a.state
    ) as what,
    extract(epoch from now() - a.xact_start)::double precision as seconds
  from pg_stat_activity as a
  where a.datname = current_database()
    and a.backend_type = 'client backend'
    and (a.backend_xmin is not null or a.backend_xid is not null)
    and a.pid <> pg_backend_pid()
  union all
  select
    format('prepared transaction %L', p.gid),
    extract(epoch from now() - p.prepared)::double precision
  from pg_prepared_xacts as p
  where p.database = current_database()
  union all
  select format('replication slot %I', r.slot_name), -1
  from pg_replication_slots as r
  where not r.active and r.xmin is not null
) as holder
where holder.seconds >= $1::double precision or holder.seconds = -1
order by holder.seconds desc
limit 20
