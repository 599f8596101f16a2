"""The adapters to PostgreSQL libraries; the only package that imports one.

A URL becomes a connection in steps that can be read one by one:

    text ── conninfo ──> keys ── dsn (service file, environment, pass file) ──> Target
    Target ── opening (one host after the other) ──> a driver's connection, with `settings`
    connections ── asyncpg ──> Database and Connection of the port in `database/`

Exceptions of the driver become ours in `asyncpg_errors`; what a SQLSTATE means is in `sqlstate`.
Start at `connect.connect`.
"""
