-- The ids of task identifiers, made where they are missing. Existing ones are looked up first, so
-- that starting a worker does not use up values of the int4 sequence. One that another session
-- creates at the same moment is in neither branch: the caller asks again.
with wanted as (
  select identifier from pg_catalog.unnest($1::text[]) as w (identifier)
), known as (
  select t.id, t.identifier
  from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
  join wanted on wanted.identifier = t.identifier
), created as (
  insert into :GRAPHILE_WORKER_SCHEMA._private_tasks (identifier)
  select wanted.identifier
  from wanted
  where wanted.identifier not in (select known.identifier from known)
  on conflict do nothing
  returning id, identifier
)
select id, identifier from known
union all
select id, identifier from created
