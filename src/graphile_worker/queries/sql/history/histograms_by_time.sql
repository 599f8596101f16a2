-- The histograms of the same, added up; buckets with nothing in them are left out.
select r.at, h.is_run, h.place - 1, sum(h.count)::bigint
from :GRAPHILE_WORKER_SCHEMA._gwx_rollup as r
cross join lateral (
  select true, u.place, u.count from unnest(r.run_h) with ordinality as u (count, place)
  union all
  select false, u.place, u.count from unnest(r.wait_h) with ordinality as u (count, place)
) as h (is_run, place, count)
where r.resolution = $1::text
  and r.at >= now() - $2::double precision * interval '1 second'
  and ($3::text is null or r.task = $3::text)
  and h.count > 0
group by r.at, h.is_run, h.place
