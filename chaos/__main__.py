"""`python -m chaos [--seconds N] [--seed S] [--workers N]`."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys

from chaos.campaign import Plan, forget, run, told


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev chaos", description="Break everything, and look.")
    parser.add_argument("--seconds", type=float, default=60, help="how long faults are injected")
    parser.add_argument("--seed", type=int, default=None, help="the same faults as another time")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--concurrency", type=int, default=10)
    asked = parser.parse_args()
    seed = random.randrange(10_000) if asked.seed is None else asked.seed
    plan = Plan(
        seconds=asked.seconds, seed=seed, workers=asked.workers, concurrency=asked.concurrency
    )
    figures = asyncio.run(run(plan))
    print(told(plan, figures))
    if figures.is_clean:
        forget(figures)
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
