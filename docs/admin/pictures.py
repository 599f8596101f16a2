"""Makes the pictures of the admin page that the documentation shows.

    PYTHONPATH=src:tests python docs/admin/pictures.py

Needs Chromium, playwright and what the tests need.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
from support.admin_site import fill, serving
from support.browser import browser, opened

from graphile_worker import WorkerUtils
from graphile_worker.history.histogram import BUCKETS
from graphile_worker.testing.databases import DatabaseServer, open_server

FOLDER = Path(__file__).parent
SIZE = (1120, 700)
SCREENS = {
    "jobs": ("jobs?state=failed", "light"),
    "job": ("jobs/1", "light"),
    "failures": ("failures", "light"),
    "tasks": ("tasks", "light"),
    "task": ("tasks/send_email", "light"),
    "queues": ("queues", "light"),
    "queue": ("queues/billing", "light"),
    "workers": ("workers", "dark"),
    "cron": ("cron", "light"),
    "health": ("health", "light"),
    "audit": ("audit", "light"),
    "question": ("jobs/act?all=delete&state=failed", "light"),
}


async def main(server: DatabaseServer) -> None:
    url = await server.create_migrated()
    connection = await asyncpg.connect(url)
    await fill(connection)
    await remember(connection)
    async with serving(url, environment="staging") as (base, _door, _app), browser() as chromium:
        for name, (path, theme) in SCREENS.items():
            async with opened(chromium, size=SIZE, theme=theme) as (page, _complaints):
                await page.goto(base + path)
                await page.wait_for_selector("html[data-script=on]")
                if name == "jobs":
                    for place in (0, 1):
                        await page.locator("[data-pick]").nth(place).check()
                await page.screenshot(path=FOLDER / f"{name}.png")
        async with opened(chromium, size=(1120, 1180), theme="light") as (page, _complaints):
            await page.goto(base)
            await page.wait_for_selector("html[data-script=on]")
            await page.screenshot(path=FOLDER / "overview.png")
        async with opened(chromium, size=(390, 844), theme="dark") as (page, _complaints):
            await page.goto(base)
            await page.wait_for_selector("html[data-script=on]")
            await page.screenshot(path=FOLDER / "phone.png")
    await connection.close()
    await server.drop(url)


HISTORY = """
insert into graphile_worker._gwx_sample
select at, ins, (1.04 * del)::bigint, del, null, 40, 12, 5, 15, 45, 30,
  2 + 1.5 * sin(n / 7.0) + case when n between 38 and 44 then 12 else 0 end, 2
from (
  select n, date_trunc('minute', now()) - (70 - n) * interval '1 minute' as at,
    sum(1900 + 500 * sin(n / 9.0) + n * 37 % 120) over (order by n)::bigint as ins,
    sum(1850 + 480 * sin(n / 9.0 - 0.1) - case when n between 38 and 44 then 600 else 0 end)
      over (order by n)::bigint as del
  from generate_series(1, 70) as n
) as minutes;
insert into graphile_worker._gwx_rollup
select 'minute', date_trunc('minute', now()) - n * interval '1 minute', task, 900, failed, 0,
  900 * 0.4, 900 * 0.2, spread(14 + shift), spread(11 + shift + n % 2)
from generate_series(1, 60) as n,
  (values ('send_email', 2, 0), ('sync_crm', 12, 3), ('charge_card', 160, 1))
    as tasks (task, failed, shift);
insert into graphile_worker._gwx_rollup
select 'hour', date_trunc('hour', now()) - n * interval '1 hour', 'send_email',
  5000 + 2000 * sin(n / 4.0), 60, 2, 1800, 900, spread(14 + n % 2), spread(11)
from generate_series(0, 23) as n;
"""
SPREAD = """
create function pg_temp.spread(middle integer) returns bigint[] language sql as $$
  select array_agg(case when n = middle then 600 when abs(n - middle) < 3 then 80
    when n = middle + 4 then 60 else 0 end::bigint order by n)
  from generate_series(1, {buckets}) as n
$$;
"""


async def remember(connection: asyncpg.Connection) -> None:
    """Some history, as an hour of work would have left it."""
    utils = WorkerUtils(connection)
    await utils.history.install()
    await connection.execute(SPREAD.format(buckets=BUCKETS))
    await connection.execute(HISTORY.replace("spread(", "pg_temp.spread("))


if __name__ == "__main__":
    with open_server() as server:
        asyncio.run(main(server))
