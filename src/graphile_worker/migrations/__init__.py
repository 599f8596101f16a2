"""The schema: what it is, which revision a database is at, and how it gets to ours.

The revisions are a name space shared with other implementations (`docs/decisions/`): 1 to 19 are
Node's, of which 19 means something else in Rust, and 20 is Rust's. We write the rows they would
write, make the objects they would make under the names they would give them, and take no numbers
of our own.

    nothing -> schema and ledger -> baseline (1 … 18 at once) -> 19 -> 20
               an older schema, by whomever:  n -> n + 1 -> … -> 20

`baseline.sql` is the schema at revision 18 as one text; `upgrade/` holds every single step. A test
proves that both ways end in the same catalogue.
"""
