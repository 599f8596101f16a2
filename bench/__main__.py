"""`python -m bench NAME`."""

import asyncio
import sys

from bench import add, admin, cron, history, hooks, quick

BENCHMARKS = {
    "add": add.main,
    "admin": admin.main,
    "cron": cron.main,
    "history": history.main,
    "hooks": hooks.main,
    "quick": quick.main,
}


def main() -> int:
    name = sys.argv[1] if len(sys.argv) > 1 else "quick"
    if name not in BENCHMARKS:
        print(f"no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    return asyncio.run(BENCHMARKS[name]())


if __name__ == "__main__":
    sys.exit(main())
