"""The tasks of a little shop, for the pictures."""

from __future__ import annotations

import asyncio
import random

from graphile_worker import PermanentFailure, task


@task
async def send_email(to: str) -> None:
    await asyncio.sleep(random.uniform(0.001, 0.02))
    if to.endswith(".invalid"):
        raise PermanentFailure(f"there is no mailbox {to}")


@task
async def charge_card(cents: int) -> None:
    await asyncio.sleep(random.uniform(0.002, 0.03))
    if cents % 97 == 0:
        raise ConnectionError("the bank does not answer")


@task
async def make_invoice(order: int) -> None:
    await asyncio.sleep(20 + order % 2)


tasks = [send_email, charge_card, make_invoice]
