"""Chromium for tests: real pages, real clicks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

DESKTOP, PHONE = (1440, 900), (390, 844)


def chromium() -> str:
    """Where it is; installed where this machine has apt and lets us."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=True)
        found = shutil.which("chromium")
    if found is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    return found


@asynccontextmanager
async def browser(*arguments: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium(),
            args=["--no-sandbox", "--disable-dev-shm-usage", *arguments],
        )
        try:
            yield launched
        finally:
            await launched.close()


class Complaints:
    """What a page complained of: errors, refusals of its policy, requests that failed."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.found.append(f"{message.type}: {message.text}")


@asynccontextmanager
async def opened(
    using: Browser, *, size: tuple[int, int] = DESKTOP, theme: str = "light", **options: Any
) -> AsyncIterator[tuple[Page, Complaints]]:
    """A page in a window of its own."""
    context = await using.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        has_touch=size == PHONE,
        **options,
    )
    context.set_default_timeout(15_000)
    page = await context.new_page()
    try:
        yield page, Complaints(page)
    finally:
        await context.close()


AXE = files("axe_playwright_python") / "axe.min.js"
CHECK = """async () => {
  const found = await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']});
  return found.violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.target.join(' ')).slice(0, 3).join(' | '));
}"""


async def axe(page: Page) -> list[str]:
    """Rules of accessibility that a page breaks."""
    await page.evaluate(AXE.read_text())
    found: list[str] = await page.evaluate(CHECK)
    return found
