-- Entries that are new become known; those that were known before are the answer. One that another
-- session makes known at this very moment is in neither: it is new, and has no past to make up for.
with known as (
  select k.identifier, k.known_since, k.last_execution
  from :GRAPHILE_WORKER_SCHEMA._private_known_crontabs as k
  where k.identifier = any ($1::text[])
), created as (
  insert into :GRAPHILE_WORKER_SCHEMA._private_known_crontabs (identifier, known_since)
  select wanted.identifier, $2::timestamptz
  from unnest($1::text[]) as wanted (identifier)
  where wanted.identifier not in (select known.identifier from known)
  order by wanted.identifier
  on conflict do nothing
)
select known.identifier, known.known_since, known.last_execution from known
