-- How many jobs are due in each of the next $2 spans of $1 seconds.
select
  floor(
    extract(epoch from j.run_at - now())::double precision / $1::double precision
  )::integer as span,
  count(*)
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
where j.is_available = true
  and j.run_at > now()
  and j.run_at < now() + $1::double precision * $2::integer * interval '1 second'
group by 1
order by 1
