-- A part of the statements that find jobs: whether a job matches what no index helps to find. Texts
-- are compared as they are, so that % and _ are characters like others. PostgreSQL refuses to look
-- into JSON that holds \u0000 or half a surrogate pair.
($8::text is null or starts_with(j.key, $8::text))
and ($9::text is null or strpos(lower(j.last_error), lower($9::text)) > 0)
and ($10::text is null or strpos(lower(j.payload::text), lower($10::text)) > 0)
and (
  $11::text[] is null
  or case
    when strpos(j.payload::text, '\u') = 0
      or regexp_replace(
        j.payload::text, '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}', '', 'g'
      ) !~ '\\u(0000|[dD][89a-fA-F])'
    then j.payload::jsonb #> $11::text[] = $12::text::jsonb
    else false
  end
)
and ($13::text is null or j.locked_by = $13::text)
and ($14::text is null or j.flags ? $14::text)
and ($15::integer is null or j.attempts >= $15::integer)
and ($16::integer is null or j.attempts <= $16::integer)
and (
  ($17::timestamptz is null and $18::double precision is null)
  or j.created_at >= coalesce($17::timestamptz, now() + $18::double precision * interval '1 second')
)
and (
  ($19::timestamptz is null and $20::double precision is null)
  or j.created_at < coalesce($19::timestamptz, now() + $20::double precision * interval '1 second')
)
and (
  ($21::timestamptz is null and $22::double precision is null)
  or j.run_at >= coalesce($21::timestamptz, now() + $22::double precision * interval '1 second')
)
and (
  ($23::timestamptz is null and $24::double precision is null)
  or j.run_at < coalesce($23::timestamptz, now() + $24::double precision * interval '1 second')
)
and (
  $25::text is null
  or (
    j.attempts > 0
    and encode(sha256(convert_to(:FINGERPRINT, 'UTF8')), 'hex') = $25::text
  )
)
and (
  $26::text is null
  or strpos(lower(pg_catalog.concat_ws(
    chr(10), j.id, j.key, t.identifier, q.queue_name, j.locked_by, j.last_error, j.payload
  )), lower($26::text)) > 0
)
