-- Workers that registered themselves, the last to be heard of first. Stale is what a sweep with this
-- threshold would take for dead.
select
  w.id, w.last_heartbeat_at, w.started_at, w.metadata::text,
  w.last_heartbeat_at < now() - $1::double precision * interval '1 second'
from :GRAPHILE_WORKER_SCHEMA._private_workers as w
order by w.last_heartbeat_at desc, w.id
