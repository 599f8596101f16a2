-- How many jobs are due in each of the next $2 spans of $1 seconds: one look into the index for each
-- span of each priority there is, which reads no more of it than there is to count.
with recursive priorities as (
  :PRIORITIES
)
select span.place, sum(due.jobs)::bigint
from generate_series(0, $2::integer - 1) as span (place)
cross join priorities as p
cross join lateral (
  select count(*) as jobs
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.is_available = true
    and j.priority = p.priority
    and j.run_at > now()
    and j.run_at >= now() + $1::double precision * span.place * interval '1 second'
    and j.run_at < now() + $1::double precision * (span.place + 1) * interval '1 second'
) as due
where p.priority is not null
group by span.place
order by span.place
