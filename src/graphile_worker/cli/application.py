"""From `MODULE:ATTRIBUTE` to the options of a worker."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from graphile_worker.errors import ConfigurationError
from graphile_worker.tasks.task import Task
from graphile_worker.worker.options import WorkerOptions

_WANTED: Final = "a WorkerOptions, a function returning one, a task or a list of tasks"
_PRINTED_NAMES: Final = 8


@dataclass(frozen=True, slots=True)
class Target:
    """What `MODULE:ATTRIBUTE` names, found and not looked at yet."""

    name: str
    value: Any


def find(name: str) -> Target:
    """Import the module and take its attribute; the current folder is importable.

    MODULE may also be the path of a file. To be called where no event loop runs, since modules may
    run one of their own while they are imported.

    Raises:
        ConfigurationError: there is no such thing, or importing it failed.
    """
    module_name, _, attribute = name.rpartition(":")
    return Target(name, _attribute(_import(module_name), attribute))


async def options_of(target: Target) -> WorkerOptions:
    """The options that a target stands for.

    A function is called, and awaited if need be, on the worker's event loop: it may open pools.

    Raises:
        ConfigurationError: a function failed, or the target is none of what is wanted.
    """
    value = target.value
    if inspect.isroutine(value):
        value = await _call(value, target.name)
    return _options(value, target.name)


# -- the module ----------------------------------------------------------------------------------


def _import(name: str) -> ModuleType:
    folder = Path.cwd()
    if name.endswith(".py"):
        folder, name = _importable(Path(name))
    if str(folder) not in sys.path[:1]:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(_not_found(error.name, folder)) from error
        raise _failed(f"importing {name} failed", error) from error
    except (Exception, SystemExit) as error:
        raise _failed(f"importing {name} failed", error) from error


def _importable(path: Path) -> tuple[Path, str]:
    """The folder to import a file from, and its name there, packages included."""
    if not path.is_file():
        raise ConfigurationError(f"there is no file {str(path)!r}")
    path = path.resolve()
    folder, names = path.parent, [path.stem]
    while (folder / "__init__.py").exists():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)


def _not_found(name: str, folder: Path) -> str:
    here = [path.stem for path in folder.glob("*.py")]
    hint = _did_you_mean(name, here)
    return f"there is no module {name!r}, neither in {folder} nor installed{hint}"


# -- the attribute -------------------------------------------------------------------------------


def _attribute(module: ModuleType, path: str) -> Any:
    value: Any = module
    for name in path.split("."):
        try:
            value = getattr(value, name)
        except AttributeError:
            known = [known for known in vars(module) if not known.startswith("_")]
            raise ConfigurationError(
                f"{module.__name__!r} has no attribute {path!r}{_did_you_mean(path, known)}"
            ) from None
    return value


async def _call(function: Any, target: str) -> Any:
    try:
        value = function()
        return await value if inspect.isawaitable(value) else value
    except (Exception, SystemExit) as error:
        raise _failed(f"calling {target} failed", error) from error


def _options(value: Any, target: str) -> WorkerOptions:
    if isinstance(value, WorkerOptions):
        return value
    if _is_task(value):
        return WorkerOptions(tasks=[value])
    tasks = _elements(value)
    if tasks is not None:
        strangers = [task for task in tasks if not _is_task(task)]
        if strangers:
            raise ConfigurationError(
                f"{target} holds {_described(strangers[0])}, which is not a task; "
                "tasks are made with @task"
            )
        return WorkerOptions(tasks=tasks)
    raise ConfigurationError(f"{target} is {_described(value)}; expected {_WANTED}")


def _elements(value: Any) -> list[Any] | None:
    """What a list, a tuple or another iterable holds; None for what is no collection of tasks."""
    if isinstance(value, str | bytes | dict | type):
        return None
    try:
        return list(value)
    except TypeError:
        return None


def _is_task(value: Any) -> bool:
    """Tasks, and classes with IDENTIFIER and `run`."""
    return isinstance(value, Task) or (isinstance(value, type) and hasattr(value, "IDENTIFIER"))


def _described(value: Any) -> str:
    if inspect.isroutine(value):
        return f"the function {value.__name__!r}"
    if isinstance(value, ModuleType):
        return f"the module {value.__name__!r}"
    if isinstance(value, type):
        return f"the class {value.__name__!r}"
    return f"a value of type {type(value).__name__}"


def _did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


# -- the user's own errors -----------------------------------------------------------------------


def _failed(what: str, error: BaseException) -> ConfigurationError:
    """The error with the line of the user's code that it came from."""
    text = " ".join(str(error).split("\n"))
    kind = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return ConfigurationError(f"{what}: {_place(error)}: {kind}")


def _place(error: BaseException) -> str:
    """`file:line`; the innermost frame that is neither Python's nor an installed package's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_foreign(frame.filename)]
    frame = (own or frames)[-1]
    return f"{_shown(frame.filename)}:{frame.lineno}"


def _is_foreign(filename: str) -> bool:
    foreign = (str(Path(importlib.__file__).parent.parent), str(Path(__file__).parent.parent))
    return filename.startswith(("<", *foreign)) or "site-packages" in filename


def _shown(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
