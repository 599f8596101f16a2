"""What the documentation shows is done, block by block, and has to come out as shown.

* `python`, `ini`, `toml`, `sql` or `json` with a title: a file of that name is written; `sh`: a
  program.
* `python` without: it runs, with `await` where it likes; what it defines, the next block sees.
* `console`: it is typed into a terminal, see `support.terminals`; `sql` goes to the database.
* Others, `sh` without a title among them, are not run: they install something or need another machine.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.django_settings import configure_django
from support.doc_blocks import ROOT, Block, blocks_of
from support.running import sql
from support.terminals import Terminals

from graphile_worker import WorkerUtils
from graphile_worker.testing.databases import VARIABLE, DatabaseServer

ALONE = ["README.md", "docs/tutorial.md"]
"""Pages for an empty folder and no database."""
GUIDES = sorted(
    str(page.relative_to(ROOT / "docs").with_suffix(""))
    for page in (*ROOT.glob("docs/*.md"), *ROOT.glob("docs/operations/*.md"))
    if page.stem != "tutorial"
)
NOT_RUN = {"sh", "text", "mermaid", "json", "dockerfile"}


@pytest.mark.parametrize("name", ALONE)
def test_a_page_works_in_an_empty_folder(
    name: str, empty_folder: Path, gw_server: DatabaseServer
) -> None:
    terminals = Terminals(empty_folder, for_tests_of_the_page(gw_server))
    try:
        for block in blocks_of(ROOT / name):
            if block.language == "console":
                terminals.play(block)
            elif block.language in {"python", "ini"}:
                assert block.title, f"{name}:{block.line}: name the file"
                (empty_folder / block.title).write_text(block.text)
            else:
                assert block.language in NOT_RUN, f"{name}:{block.line}: {block.language}"
    finally:
        terminals.close()


def for_tests_of_the_page(gw_server: DatabaseServer) -> dict[str, str]:
    """Variables for pytest: another server, and plugins that readers lack, only take time."""
    plugins = ("xdist", "randomly", "cov", "pytest_cov", "hypothesispytest", "timeout")
    return {
        VARIABLE: gw_server.url,
        "PYTEST_ADDOPTS": " ".join(f"-p no:{plugin}" for plugin in plugins),
    }


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    """What the blocks of a page define, in a module, where types look for their names."""
    module = types.ModuleType("the_page")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


@pytest.mark.timeout(180)  # pages with dozens of commands, on a machine that has other things to do
@pytest.mark.parametrize("name", GUIDES)
async def test_a_guide_tells_the_truth(
    name: str,
    gw_database: str,
    gw_server: DatabaseServer,
    tmp_path: Path,
    module: types.ModuleType,
) -> None:
    page = ROOT / "docs" / f"{name}.md"
    configure_django()  # a page that mounts something in Django has no project of its own
    terminals = Terminals(
        tmp_path, {"DATABASE_URL": gw_database, **for_tests_of_the_page(gw_server)}
    )
    async with WorkerUtils.connect(gw_database) as utils:
        try:
            for block in blocks_of(page):
                module.__dict__.update(database_url=gw_database, utils=utils)
                await _do(block, page, module, terminals, tmp_path, gw_database)
        finally:
            terminals.close()


async def test_the_test_on_the_contributors_page(
    gw_database: str, module: types.ModuleType
) -> None:
    [block] = [b for b in blocks_of(ROOT / "CONTRIBUTING.md") if b.language == "python"]
    await _execute(block, ROOT / "CONTRIBUTING.md", module.__dict__)
    await module.test_a_job_added_in_sql_runs(gw_database)


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda page: page.stem
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https:"):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(), re.MULTILINE)
            assert anchor in {anchor_of(heading) for heading in headings}, target


def anchor_of(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


async def _do(
    block: Block,
    page: Path,
    module: types.ModuleType,
    terminals: Terminals,
    folder: Path,
    database_url: str,
) -> None:
    match block.language:
        case "python" | "ini" | "toml" | "sql" | "json" if block.title:
            (folder / block.title).write_text(block.text)
        case "sh" if block.title:
            program = folder / block.title
            program.parent.mkdir(exist_ok=True)
            program.write_text(block.text)
            program.chmod(0o755)
        case "python":
            await _execute(block, page, module.__dict__)
        case "console":
            terminals.play(block)
        case "sql":
            async with sql(database_url) as connection:
                await connection.execute(block.text)
        case other:
            assert other in NOT_RUN, f"{page.name}:{block.line}: {other}"


async def _execute(block: Block, page: Path, names: dict[str, Any]) -> None:
    """As if the page were the file: tracebacks show its lines."""
    source = "\n" * (block.line - 1) + block.text
    code = compile(source, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if inspect.isawaitable(result):
        await result
