"""`python -m bench NAME`."""

import asyncio
import signal
import sys

from bench import add, admin, cron, history, hooks, memory, processes, quick, scale, viewers
from bench import all as everything

BENCHMARKS = {
    "add": add.main,
    "admin": admin.main,
    "all": everything.main,
    "cron": cron.main,
    "history": history.main,
    "hooks": hooks.main,
    "memory": memory.main,
    "processes": processes.main,
    "quick": quick.main,
    "scale": scale.main,
    "viewers": viewers.main,
}


def main() -> int:
    name = sys.argv[1] if len(sys.argv) > 1 else "quick"
    if name in {"-h", "--help"}:
        print(f"./dev bench NAME [OPTIONS]\n\nNAME is one of: {', '.join(BENCHMARKS)} (quick)")
        return 0
    if name not in BENCHMARKS:
        print(f"no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    # Programs and servers are ended with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return asyncio.run(BENCHMARKS[name]())


if __name__ == "__main__":
    sys.exit(main())
