"""What the catalogue says about a schema, in a form in which two schemas can be compared."""

from __future__ import annotations

import asyncpg

from graphile_worker.database.schema import Schema
from graphile_worker.migrations.queue_index import NAME

QUERIES = {
    "relations": """
        select c.relkind, c.relname, c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relacl
        from pg_class c where c.relnamespace = $1::regnamespace
    """,
    "columns": """
        select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
          a.attidentity, a.attgenerated, a.attstorage, pg_get_expr(d.adbin, d.adrelid),
          row_number() over (partition by c.relname order by a.attnum)
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where c.relnamespace = $1::regnamespace and a.attnum > 0 and not a.attisdropped
    """,
    "constraints": """
        select coalesce(r.relname, t.typname), c.conname, pg_get_constraintdef(c.oid)
        from pg_constraint c
        left join pg_class r on r.oid = c.conrelid
        left join pg_type t on t.oid = c.contypid
        where c.connamespace = $1::regnamespace
    """,
    "indexes": """
        select pg_get_indexdef(i.indexrelid), i.indisvalid
        from pg_index i join pg_class c on c.oid = i.indrelid
        where c.relnamespace = $1::regnamespace
    """,
    "sequences": """
        select c.relname, format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmax,
          s.seqmin, s.seqcache, s.seqcycle, d.deptype, o.relname
        from pg_sequence s
        join pg_class c on c.oid = s.seqrelid
        left join pg_depend d on d.objid = c.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0
        left join pg_class o on o.oid = d.refobjid
        where c.relnamespace = $1::regnamespace
    """,
    "functions": """
        select p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
          l.lanname, p.provolatile, p.proisstrict, p.prosecdef, p.proparallel, p.procost,
          p.proconfig, p.proacl
        from pg_proc p join pg_language l on l.oid = p.prolang
        where p.pronamespace = $1::regnamespace
    """,
    "bodies": """
        select p.proname, p.prosrc from pg_proc p where p.pronamespace = $1::regnamespace
    """,
    "triggers": """
        select c.relname, pg_get_triggerdef(t.oid)
        from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = $1::regnamespace and not t.tgisinternal
    """,
    "types": """
        select t.typname, t.typtype from pg_type t where t.typnamespace = $1::regnamespace
    """,
    "views": """
        select c.relname, pg_get_viewdef(c.oid), c.reloptions
        from pg_class c where c.relnamespace = $1::regnamespace and c.relkind = 'v'
    """,
    "policies": """
        select p.polname from pg_policy p join pg_class c on c.oid = p.polrelid
        where c.relnamespace = $1::regnamespace
    """,
    "comments": """
        select d.description from pg_description d join pg_class c on c.oid = d.objoid
        where c.relnamespace = $1::regnamespace
    """,
}


async def schema_facts(
    connection: asyncpg.Connection, schema: Schema, *, without: frozenset[str] = frozenset()
) -> dict[str, list[str]]:
    """All facts of what is shared, with the schema's name left out: our index is not."""
    await connection.execute(f"set search_path to {schema.quoted}")
    facts = {
        name: sorted(
            str(tuple(row)).replace(schema.quoted, "SCHEMA").replace(schema.name + ".", "SCHEMA.")
            for row in await connection.fetch(query, schema.quoted)
            if NAME not in str(tuple(row))
        )
        for name, query in QUERIES.items()
        if name not in without
    }
    await connection.execute("reset search_path")
    return facts


async def ledger(connection: asyncpg.Connection, schema: Schema) -> list[tuple[int, bool]]:
    rows = await connection.fetch(
        f"select id, breaking from {schema.quoted}.migrations order by id"
    )
    return [tuple(row) for row in rows]


async def bodies(connection: asyncpg.Connection, schema: Schema) -> dict[str, str]:
    rows = await connection.fetch(
        "select proname, prosrc from pg_proc where pronamespace = $1::regnamespace", schema.quoted
    )
    return dict(rows)
