"""What can be asked of `./dev bench all` and `./dev bench scale`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(".bench")
"""Where figures go unless told otherwise; ignored by git."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured.

    Attributes:
        rounds: of everything whose median counts.
        seconds: after which a throughput run ends at the latest.
        jobs: that a throughput run finds ready.
        others: the same for procrastinate, which would take minutes to fill.
        many: ready jobs, queue names and stuck jobs of the other tables, see `all.conditions`.
        samples: of latency, a round.
        add_one: jobs added one by one.
        add_many: jobs added in bulk.
        idle_seconds: that an idle worker is watched, and that an old snapshot is held open.
        held: jobs in the local queue whose memory is looked at.
    """

    rounds: int = 3
    seconds: float = 2.0
    jobs: int = 100_000
    others: int = 10_000
    many: int = 1_000_000
    names: int = 1_000
    samples: int = 2_000
    add_one: int = 300
    add_many: int = 20_000
    idle_seconds: float = 60.0
    held: int = 10_000


QUICK = Sizes(
    rounds=1,
    seconds=0.3,
    jobs=5_000,
    others=500,
    many=20_000,
    names=100,
    samples=50,
    add_one=20,
    add_many=1_000,
    idle_seconds=3.0,
    held=2_000,
)


@dataclass(frozen=True, kw_only=True)
class AllOptions:
    """Of `./dev bench all`."""

    quick: bool
    sizes: Sizes
    shared_buffers: str
    json: Path
    plots: Path
    write_docs: bool
    check: bool


@dataclass(frozen=True, kw_only=True)
class ScaleOptions:
    """Of `./dev bench scale`."""

    quick: bool
    rounds: int
    seconds: float
    curves: tuple[str, ...]
    ten_million: bool
    shared_buffers: str
    json: Path
    plots: Path
    write_docs: bool


def parse_all(arguments: Sequence[str]) -> AllOptions:
    """Read the command line; what is wrong with it ends the program."""
    parser = _parser("all", "Ours beside every other worker, on one server, in one run.")
    parser.add_argument("--rounds", type=_positive, help="rounds of everything (3)")
    parser.add_argument("--seconds", type=float, help="the longest throughput run (2)")
    parser.add_argument("--jobs", type=_positive, help="jobs of a throughput run (100,000)")
    parser.add_argument(
        "--idle-seconds", type=float, help="of an idle worker, and of an old snapshot (60)"
    )
    parser.add_argument("--no-check", action="store_true", help="do not fail on missed targets")
    asked = parser.parse_args(list(arguments))
    sizes = QUICK if asked.quick else Sizes()
    given = {
        name: getattr(asked, name)
        for name in ("rounds", "seconds", "jobs", "idle_seconds")
        if getattr(asked, name) is not None
    }
    return AllOptions(
        quick=asked.quick,
        sizes=replace(sizes, **given),
        shared_buffers=asked.shared_buffers,
        json=asked.json or FOLDER / "all.json",
        plots=asked.plots,
        write_docs=asked.write_docs,
        check=not asked.no_check and not asked.quick,
    )


def parse_scale(arguments: Sequence[str], names: Sequence[str]) -> ScaleOptions:
    """The same for the curves, whose names are given."""
    parser = _parser("scale", "How throughput changes with the size of things.")
    parser.add_argument("curves", nargs="*", help=f"some of: {', '.join(names)} (all)")
    parser.add_argument("--rounds", type=_positive, help="rounds of each point (2)")
    parser.add_argument("--seconds", type=float, help="the longest run of a point (1.5)")
    parser.add_argument("--ten-million", action="store_true", help="a backlog of 10M as well")
    asked = parser.parse_args(list(arguments))
    if unknown := set(asked.curves) - set(names):
        parser.error(f"no curve {min(unknown)!r}; there are: {', '.join(names)}")
    return ScaleOptions(
        quick=asked.quick,
        rounds=asked.rounds or (1 if asked.quick else 2),
        seconds=asked.seconds or (0.3 if asked.quick else 1.5),
        curves=tuple(asked.curves or names),
        ten_million=asked.ten_million,
        shared_buffers=asked.shared_buffers,
        json=asked.json or FOLDER / "scale.json",
        plots=asked.plots,
        write_docs=asked.write_docs,
    )


def _parser(name: str, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"./dev bench {name}", description=about)
    parser.add_argument("--quick", action="store_true", help="small sizes, less than a minute")
    parser.add_argument("--shared-buffers", default="512MB", help="of PostgreSQL (512MB)")
    parser.add_argument("--json", type=Path, help=f"file for all figures ({FOLDER}/{name}.json)")
    parser.add_argument("--plots", type=Path, default=FOLDER, help=f"folder for plots ({FOLDER})")
    parser.add_argument(
        "--write-docs", action="store_true", help="tables and plots into docs/benchmarks.md as well"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number
