-- Whether there is a table of workers: schemas of the Node worker have none.
select to_regclass($1::text) is not null
