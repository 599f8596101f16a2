-- A part of other statements: what errors of one kind have in common. The first line, without what
-- differs from job to job.
regexp_replace(
  regexp_replace(
    regexp_replace(
      left(split_part(ltrim(j.last_error, E' \n\r\t'), E'\n', 1), 200),
      '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '#uuid', 'g'
    ),
    '\m(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,}\M', '#hex', 'g'
  ),
  '[0-9]+', '#', 'g'
)
