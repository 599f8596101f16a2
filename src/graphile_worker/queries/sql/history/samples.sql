-- The last sample of each step of $2 seconds, oldest first.
select distinct on (floor(extract(epoch from s.at) / $2::double precision))
  s.at, s.ins, s.upd, s.del, s.stats_reset, s.ready, s.blocked, s.running, s.retrying, s.scheduled,
  s.failed, s.oldest_ready, s.workers
from :GRAPHILE_WORKER_SCHEMA._gwx_sample as s
where s.at >= now() - $1::double precision * interval '1 second'
order by floor(extract(epoch from s.at) / $2::double precision), s.at desc
