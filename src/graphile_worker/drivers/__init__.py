"""The adapters to PostgreSQL libraries; the only package that imports one.

A URL becomes a connection in steps that can be read one by one:

    text ── conninfo ──> keys ── dsn (service file, environment, pass file) ──> Target
    Target ── opening (one host after the other) ──> a driver's connection, with `settings`
    connections ── asyncpg ──> Database and Connection of the port in `database/`

What callers have becomes the same, whatever library it is of (`kinds` finds out which):

    a connection or session ── borrowed ──> Executor: in the caller's transaction, no more
    a pool or engine ── adopt ──> Database: transactions of ours on the caller's connections

Exceptions of the driver become ours in `asyncpg_errors` and `psycopg_errors`, but for borrowed
connections, where they get a note (`notes`); what a SQLSTATE means is in `sqlstate`.
Start at `connect.connect`, `borrowed.executor_for` and `adopt.adopt`.
"""
