-- Whether a table of ours is there; a name that leads nowhere is no error.
select to_regclass($1::text) is not null
