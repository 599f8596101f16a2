"""A PostgreSQL that comes with the program: `database_url="embedded:"`.

    embedded:                       keeps its data in ./.graphile-worker/pg
    embedded:///folder              keeps it there
    embedded:?temporary             is thrown away; this program's alone
    embedded:///folder?temporary    is thrown away; shared by those who name the folder

Programs that name the same folder share one server, and it runs as long as one of them does:

    program A ──┐ a shared lock each,                    ┌── postgres
    program B ──┼─ on users.lock ──▶ reaper (waits for ──┤   (its child; holds server.lock too)
    program C ──┘                    the exclusive lock) └── data, log, socket folder

The kernel releases a program's lock however the program ends, so nothing has to be told to anyone:
the reaper gets its exclusive lock when the last user is gone, stops the server and removes what
was temporary. Four lock files in the folder say all there is to know, and none can go stale:

    start.lock    held while one program starts or joins; the others wait for it
    users.lock    shared by the users; the reaper waits to have it alone
    reaper.lock   held by the reaper from before its start to its end: "there is a server"
    server.lock   held by the reaper and by every process of PostgreSQL, so that a server whose
                  reaper was killed is noticed, and is ended by the next reaper

A child made by a plain `os.fork` keeps its parent's lock, and with it the server, until it ends
or executes another program.
"""
