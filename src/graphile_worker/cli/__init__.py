"""The command `graphile-worker`.

    main ──▶ commands ──▶ one module a command ──▶ client, worker
      │          │                 │
      │          │                 └─ output: a table on a terminal, TSV in a pipe, JSON on request
      │          └─ knows names and one-line helps only, so that a command costs its own imports
      └─ the edge: every error becomes one line on stderr and an exit code

Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted by Ctrl-C.
"""
