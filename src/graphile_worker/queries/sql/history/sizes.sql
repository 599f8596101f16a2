-- Bytes of the tables of history, with their indexes.
select
  (select coalesce(pg_total_relation_size(to_regclass($1::text)), 0)),
  (select coalesce(pg_total_relation_size(to_regclass($2::text)), 0)),
  (
    select coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::bigint
    from pg_inherits as i
    where i.inhparent = to_regclass($3::text)
  )
