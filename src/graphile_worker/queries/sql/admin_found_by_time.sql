-- A part of the statements that find jobs in the order of a time: of what was searched (`scope`, with
-- id, at, matches) how much it was, where it ended, and what was found.
select
  totals.searched, totals.matched, last.id, $30::integer, last.at::text,
  f.id, $30::integer, f.at::text
from (
  select count(*) as searched, count(*) filter (where scope.matches) as matched from scope
) as totals
left join lateral (
  select s.id, s.at from scope as s order by s.at desc, s.id desc limit 1
) as last on true
left join (
  select s.id, s.at from scope as s where s.matches order by s.at, s.id limit $27::bigint
) as f on true
order by f.at, f.id
