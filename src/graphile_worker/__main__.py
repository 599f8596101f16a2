"""`python -m graphile_worker` is the command `graphile-worker`."""

from graphile_worker.cli.main import main

if __name__ == "__main__":
    main()
