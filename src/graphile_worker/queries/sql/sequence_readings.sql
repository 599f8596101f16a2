-- How far the id sequences are. `last_value` is null where a sequence was not used yet, or where this
-- role may not see it.
select s.sequencename::text, format('%I.%I', s.schemaname, s.sequencename), coalesce(s.last_value, 0), s.max_value
from pg_sequences as s
where s.schemaname = $1::text and not s.cycle
order by s.sequencename
