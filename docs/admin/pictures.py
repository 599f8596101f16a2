"""Makes the pictures of the admin page that the documentation shows.

    PYTHONPATH=src:tests python docs/admin/pictures.py

Needs Chromium, playwright and what the tests need.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import httpx
from support.admin_site import fill, serving
from support.browser import browser, opened

from graphile_worker import WorkerUtils
from graphile_worker.history.histogram import BUCKETS
from graphile_worker.history.options import HistoryConfig
from graphile_worker.testing.databases import DatabaseServer, open_server

FOLDER = Path(__file__).parent
SIZE = (1280, 760)
LEAST = 380
"""So high is a picture at least: the rail is in it."""
BOTTOM = (
    "Math.ceil(document.querySelector('main').lastElementChild.getBoundingClientRect().bottom) + 16"
)
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
    await connection.execute(FAILED_IN_TIME)
    await remember(connection)
    async with (
        serving(url, environment="staging", crons=CRONTAB) as (base, _door, _app),
        browser() as chromium,
    ):
        for name, (path, theme) in SCREENS.items():
            async with opened(chromium, size=SIZE, theme=theme) as (page, _complaints):
                await page.goto(base + path)
                await page.wait_for_selector("html[data-script=on]")
                if name == "audit":
                    await act(base)
                    await page.reload()
                if name == "jobs":
                    for place in (0, 1):
                        await page.locator("[data-pick]").nth(place).check()
                    await page.mouse.move(0, 0)
                height = min(SIZE[1], max(LEAST, await page.evaluate(BOTTOM)))
                clip = {"x": 0, "y": 0, "width": SIZE[0], "height": height}
                await page.screenshot(path=FOLDER / f"{name}.png", clip=clip)
        async with opened(chromium, size=(1280, 1180), theme="light") as (page, _complaints):
            await page.goto(base)
            await page.wait_for_selector("html[data-script=on]")
            await page.screenshot(path=FOLDER / "overview.png")
        async with opened(chromium, size=(390, 844), theme="dark") as (page, _complaints):
            await page.goto(base)
            await page.wait_for_selector("html[data-script=on]")
            await page.screenshot(path=FOLDER / "phone.png")
    await connection.close()
    await server.drop(url)


async def act(base: str) -> None:
    """What somebody did, for the audit."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(base_url=f"{base}api/v1/", headers=headers) as client:
        for path, body in (
            ("jobs/actions", {"action": "retry", "ids": [1, 2, 3, 101]}),
            ("queues/billing/pause", {}),
            ("queues/billing/resume", {}),
            ("jobs/actions", {"action": "delete", "ids": [4, 5]}),
        ):
            (await client.post(path, json=body)).raise_for_status()
        (await client.get("jobs/6", params={"reveal": "true"})).raise_for_status()


FAILED_IN_TIME = """
update graphile_worker._private_jobs
set run_at = now() + interval '6 hours' - (id * id % 400) * interval '3 minutes'
where attempts = max_attempts and last_error like 'PaymentDeclined%'
"""
CRONTAB = """
5 * * * * sync_crm ?id=crm_hourly&fill=2h
*/10 8-18 * * 1-5 send_email ?id=digest&tz=Europe/Berlin
0 4 * * * rebuild_index ?id=nightly&fill=1d
0 6 1 * * charge_card ?id=invoices&fill=1w
"""
RUNS = """
set time zone 'UTC';
do $$
declare
  day date;
begin
  for n in 2..7 loop
    day := current_date - n;
    execute format(
      'create table graphile_worker.%I partition of graphile_worker._gwx_run'
      ' for values from (%L) to (%L)',
      '_gwx_run_' || to_char(day, 'YYYYMMDD'), day, day + 1
    );
  end loop;
end
$$;
create temporary table past as
select 'sync_crm' as task, n,
  date_trunc('hour', now() - interval '5 min') + interval '5 min' - n * interval '1 hour' as at
from generate_series(0, 19) as n
union all
select 'rebuild_index', n,
  date_trunc('day', now() - interval '4 hours') + interval '4 hours' - n * interval '1 day'
from generate_series(0, 5) as n
union all
select 'send_email', row_number() over (order by at desc), at
from generate_series(date_trunc('hour', now()) - interval '4 days', now(), '10 min') as at
where extract(hour from at at time zone 'Europe/Berlin') between 8 and 18
  and extract(isodow from at at time zone 'Europe/Berlin') < 6;
insert into graphile_worker._gwx_run
  (job_id, attempt, finished_at, task, run_at, started_at, outcome, worker)
select 1000000 + row_number() over (), 1, at + late + interval '2 s', task, at, at + late,
  case when task = 'sync_crm' and n = 12 then 'dead' else 'completed' end,
  'graphile_worker_py_7f3a'
from past
cross join lateral (
  select case when task = 'sync_crm' and n in (5, 6) then interval '18 min' else '0.4 s' end
) as started (late)
where not (task = 'send_email' and n in (9, 10, 11));
insert into graphile_worker._private_known_crontabs as k
  (identifier, known_since, last_execution)
select entry.identifier, now() - entry.days * interval '1 day', max(past.at)
from (values ('crm_hourly', 30, 'sync_crm'), ('digest', 30, 'send_email'),
  ('nightly', 30, 'rebuild_index')) as entry (identifier, days, task)
join past on past.task = entry.task
group by entry.identifier, entry.days
union all
select 'invoices', now() - interval '90 days',
  date_trunc('month', now() - interval '6 hours') + interval '6 hours'
union all
select 'old_report', now() - interval '200 days', now() - interval '41 days'
on conflict (identifier) do update set last_execution = excluded.last_execution;
update graphile_worker._private_workers
set metadata = metadata || '{"crons": ["crm_hourly", "digest", "nightly", "invoices"]}'
where id = 'graphile_worker_py_7f3a';
"""
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
    await utils.history.install(HistoryConfig(run_log="all"))
    await connection.execute(SPREAD.format(buckets=BUCKETS))
    await connection.execute(HISTORY.replace("spread(", "pg_temp.spread("))
    await connection.execute(RUNS)


if __name__ == "__main__":
    with open_server() as server:
        asyncio.run(main(server))
