-- Whether nobody has taken the sample of this minute.
select not exists (
  select 1
  from :GRAPHILE_WORKER_SCHEMA._gwx_sample as s
  where s.at = date_trunc('minute', now())
)
