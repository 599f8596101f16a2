"""One campaign, from the first job to the figures."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from chaos.faults import Faults
from chaos.fleet import Fleet
from chaos.ledger import Findings, Ledger
from chaos.proxy import Proxy
from chaos.server import Server
from graphile_worker.database.schema import Schema
from graphile_worker.drivers.connect import connect
from graphile_worker.migrations.runner import migrate

_DONE_WITHIN = 60.0
"""Seconds after the last fault in which every job has to be done: thresholds are 3 s."""

_RECENT = timedelta(seconds=1)
"""How long before a silence its cause may lie."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign does."""

    seconds: float
    seed: int
    workers: int = 4
    concurrency: int = 10
    backlog: int = 1000
    pause: tuple[float, float] = (0.5, 2.5)


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it."""

    faults: Counter[str]
    findings: Findings
    seconds: float
    silence: float
    silence_after: list[str]
    done_after: float | None
    exit_codes: list[int]
    surprises: list[int]
    fenced: int
    renewed: int
    logs: Path

    @property
    def is_clean(self) -> bool:
        """Whether everything held."""
        return (
            self.findings.is_clean
            and self.done_after is not None
            and not any(self.exit_codes)
            and not self.surprises
        )


async def run(plan: Plan) -> Figures:
    """Carry a campaign out. The folder of the logs is left for whoever wants to look.

    Raises what keeps it from being one, such as jobs that cannot be added.
    """
    logs = Path(tempfile.mkdtemp(prefix="gw-chaos-logs-"))
    try:
        return await _carry_out(plan, logs)
    except BaseException as error:
        error.add_note(f"seed {plan.seed}; logs: {logs}")
        raise


async def _carry_out(plan: Plan, logs: Path) -> Figures:
    started = time.monotonic()
    async with Server() as server, Proxy(server.socket) as proxy:
        ledger = Ledger(server.url, plan.seed)
        await _migrate(server.url)
        await ledger.prepare()
        async with Fleet(proxy.url, plan.workers, plan.concurrency, logs) as fleet:
            faults = Faults(plan.seed, server, proxy, fleet)
            async with asyncio.TaskGroup() as group:
                adding = group.create_task(ledger.add(plan.backlog))
                await faults.inject(plan.seconds, plan.pause)
                adding.cancel()
            done_after = await ledger.wait_done(_DONE_WITHIN)
            before, after = await ledger.longest_silence()
            await ledger.wait_registered(fleet.pids)
            codes = await fleet.end_in_order()
            text = _read_all(logs)
            findings = await ledger.findings(text)
    return Figures(
        faults=faults.done,
        findings=findings,
        seconds=time.monotonic() - started,
        silence=(after - before).total_seconds(),
        silence_after=[kind for at, kind in faults.history if before - _RECENT <= at <= after],
        done_after=done_after,
        exit_codes=codes,
        surprises=fleet.surprises,
        fenced=text.count(b"is no longer held by worker"),
        renewed=text.count(b" goes on as "),
        logs=logs,
    )


async def _migrate(url: str) -> None:
    database = await connect(url, max_connections=1)
    try:
        await migrate(database, Schema("graphile_worker"))
    finally:
        await database.aclose()


def _read_all(logs: Path) -> bytes:
    return b"".join(log.read_bytes() for log in logs.glob("*.log"))


def forget(figures: Figures) -> None:
    """Remove the logs."""
    shutil.rmtree(figures.logs, ignore_errors=True)


def told(plan: Plan, figures: Figures) -> str:
    """The figures, to be read."""
    found = figures.findings
    done = "never" if figures.done_after is None else f"{figures.done_after:.1f} s"
    around = ", ".join(figures.silence_after[:8]) or "no fault"
    lines = [
        f"seed {plan.seed}: {plan.seconds:g} s, {plan.workers} workers of {plan.concurrency}",
        *(f"  {count:5}  {kind}" for kind, count in sorted(figures.faults.items())),
        f"  {sum(figures.faults.values()):5}  faults",
        f"  {found.jobs:5}  jobs, {found.effects} effects",
        f"  {found.lost:5}  lost",
        f"  {found.left:5}  left over; all done {done} after the last fault",
        f"  {found.duplicated:5}  effects of transactional jobs that happened twice",
        f"  {found.overlaps:5}  overlaps in serial queues",
        f"  {found.wrong_attempts:5}  attempts too many",
        f"  {found.locked_queues:5}  queues left locked",
        f"  {figures.fenced:5}  outcomes refused, since the job was no longer held",
        f"  {figures.renewed:5}  workers that found out that they had been swept",
        f"  {figures.silence:5.1f}  s, the longest silence, around: {around}",
        f"  exit codes {figures.exit_codes}, ended by themselves: {figures.surprises or 'none'}",
        "clean" if figures.is_clean else f"NOT CLEAN; logs: {figures.logs}",
    ]
    return "\n".join(lines)
