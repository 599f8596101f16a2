-- What each task, or one, came to.
select r.task, sum(r.completed)::bigint, sum(r.failed)::bigint, sum(r.dead)::bigint, sum(r.run), sum(r.wait)
from :GRAPHILE_WORKER_SCHEMA._gwx_rollup as r
where r.resolution = $1::text
  and r.at >= now() - $2::double precision * interval '1 second'
  and ($3::text is null or r.task = $3::text)
group by r.task
order by r.task
