-- Counts that are too old: minutes, hours and days are each kept for a time of their own.
delete from :GRAPHILE_WORKER_SCHEMA._gwx_rollup as r
using unnest($1::text[], $2::double precision[]) as kept (resolution, seconds)
where r.resolution = kept.resolution
  and r.at < now() - kept.seconds * interval '1 second'
