"""Several worker processes under one supervisor, for `run --processes` and `run --reload`.

```text
 supervisor ──┬── place 1 ── process ── worker       a place has one process at a time, and while
              ├── place 2 ── process ── worker       it is replaced two: the successor is ready
              └── place 3 ── process ── worker       before the old one drains
```

The supervisor claims no jobs and imports nothing of the user's. It starts processes (`launch`,
`process`), keeps one in each place (`place`), passes on what signals ask for, and answers probes
for all of them (`pages`). A process (`member`) tells how it is doing and hears what it is to do
over a socket, and ends in order when its supervisor is gone, however that ended. What the two say
to each other is in `messages`; when a process is started or replaced is decided in `policy`.
"""
