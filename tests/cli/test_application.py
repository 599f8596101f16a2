"""From MODULE:ATTRIBUTE to options, and what is said when that fails."""

from __future__ import annotations

import itertools
import sys

import pytest

from graphile_worker import ConfigurationError, WorkerOptions
from graphile_worker.cli.application import find, options_of

numbers = itertools.count()


@pytest.fixture(autouse=True)
def importing(monkeypatch, tmp_path):
    """Imports leave no trace, and start in an empty folder."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def module(tasks):
    """The tasks of `conftest` under a name that was never imported."""
    name = f"jobs_{next(numbers)}"
    tasks.rename(tasks.with_stem(name))
    return name


@pytest.mark.parametrize(
    ("attribute", "identifiers"),
    [
        ("options", ["fine", "broken", "hopeless", "slow"]),
        ("tasks", ["fine", "broken", "hopeless", "slow"]),
        ("fine", ["fine"]),
        ("make", ["fine"]),
        ("make_async", ["fine"]),
        ("Nested.tasks", ["fine"]),
    ],
)
async def test_what_may_be_named(module, attribute, identifiers):
    options = await options_of(find(f"{module}:{attribute}"))
    assert list(options.registry()) == identifiers


async def test_a_class_with_an_identifier_is_a_task(tmp_path):
    (tmp_path / "shaped.py").write_text(
        "class Greet:\n"
        "    IDENTIFIER = 'greet'\n"
        "    async def run(self, ctx): pass\n"
        "tasks = (Greet,)\n"
    )
    for attribute in ("tasks", "Greet"):
        options = await options_of(find(f"shaped:{attribute}"))
        assert len(options.tasks) == 1


async def test_a_file_by_its_path(module, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    options = await options_of(find(f"{tmp_path}/{module}.py:options"))
    assert options.concurrency == 3


async def test_a_file_in_a_package_is_imported_as_part_of_it(tmp_path):
    package = tmp_path / "shop" / "backend"
    package.mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "names.py").write_text("name = 'pack'\n")
    (package / "work.py").write_text(
        "from graphile_worker import task\n"
        "from .names import name\n"
        "@task(name)\n"
        "async def pack(payload: object) -> None: ...\n"
        "tasks = [pack]\n"
    )
    for target in ("shop/backend/work.py:tasks", "shop.backend.work:tasks"):
        options = await options_of(find(target))
        assert list(options.registry()) == ["pack"]
        assert find(target).value is sys.modules["shop.backend.work"].tasks


async def error_of(target: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        (await options_of(find(target))).registry()
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_an_unknown_module(tmp_path):
    (tmp_path / "workers.py").touch()
    message = await error_of("worker_s:tasks")
    assert message.startswith("there is no module 'worker_s'")
    assert message.endswith("did you mean 'workers'?")
    assert "there is no module 'shop'" in await error_of("shop.tasks:tasks")
    assert await error_of("gone/tasks.py:tasks") == "there is no file 'gone/tasks.py'"


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("taks", "has no attribute 'taks'; did you mean 'tasks'?"),
        ("Nested.missing", "has no attribute 'Nested.missing'"),
        (
            "number",
            "is a value of type int; expected a WorkerOptions, a function returning one, a task or a",
        ),
        ("Nested", "is the class 'Nested'; expected a WorkerOptions"),
        ("asyncio", "is the module 'asyncio'; expected"),
        ("strangers", "holds the function 'print', which is not a task"),
        ("empty", "tasks is empty"),
        ("twice", "two tasks have the identifier 'fine'"),
    ],
)
async def test_an_attribute_that_is_nothing_to_run(module, attribute, message):
    assert message in await error_of(f"{module}:{attribute}")


async def test_a_function_that_fails(module):
    message = await error_of(f"{module}:make_nothing")
    assert message.startswith(f"calling {module}:make_nothing failed: {module}.py:")
    assert message.endswith(": KeyError: 'no settings'")


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("x = 1\nraise ValueError('a\\nb')\n", "broken.py:2: ValueError: a b"),
        ("import json\n\njson.loads('{')\n", "broken.py:3: JSONDecodeError: Expecting"),
        ("x = (\n", "broken.py:1: SyntaxError: '(' was never closed"),
        ("import no_such_thing\n", "broken.py:1: ModuleNotFoundError: No module named 'no_such_"),
        ("import sys\nsys.exit(3)\n", "broken.py:2: SystemExit: 3"),
        ("assert False\n", "broken.py:1: AssertionError"),
    ],
)
async def test_a_module_that_fails_is_told_with_the_line_of_the_user(tmp_path, source, place):
    (tmp_path / "broken.py").write_text(source)
    assert (await error_of("broken:tasks")).startswith(f"importing broken failed: {place}")


async def test_the_line_is_in_the_module_that_failed_not_in_the_one_that_imports_it(tmp_path):
    (tmp_path / "inner.py").write_text("1 / 0\n")
    (tmp_path / "outer.py").write_text("import inner\n")
    assert "inner.py:1: ZeroDivisionError" in await error_of("outer:tasks")


async def test_modules_of_the_current_folder_win(tmp_path):
    assert "this" not in sys.modules  # the standard library has one
    (tmp_path / "this.py").write_text(
        "from graphile_worker import WorkerOptions\noptions = WorkerOptions(concurrency=7)\n"
    )
    assert isinstance(find("this:options").value, WorkerOptions)
