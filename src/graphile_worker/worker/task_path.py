"""Where a task is found again by another process."""

from __future__ import annotations

import importlib
import runpy
import sys
import types
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, Final, Protocol, cast

from msgspec import Struct

from graphile_worker.errors import ConfigurationError

_MAIN: Final = "__main__"
_MAIN_IN_CHILD: Final = "__mp_main__"
"""What `multiprocessing` calls it too, so that programs which look at it keep working."""
MARK_OF_CHILD: Final = "graphile_worker_child"
"""A variable of the main module of a process that runs tasks."""


class NamedTask(Protocol):
    """What is looked at to find a task again."""

    @property
    def identifier(self) -> str:
        """Its name in the database."""
        ...

    @property
    def fn(self) -> Callable[..., Any]:
        """The handler."""
        ...


class ProcessTask(NamedTask, Protocol):
    """What a process has to know of a task to run it."""

    @property
    def takes_payload(self) -> bool:
        """Whether the handler wants the payload."""
        ...

    def decode(self, text: str, /) -> Any:
        """The handler's payload from stored JSON text."""
        ...


class TaskPath(Struct, frozen=True):
    """The module of a task and the name it has there."""

    module: str
    name: str
    """Dotted, where the task is an attribute of a class."""
    file: str | None = None
    """The program itself, where the task is defined in a script that was started by its path."""


def task_path(task: NamedTask) -> TaskPath:
    """Where a child process finds this task.

    Raises:
        ConfigurationError: it would not find it: the handler is a lambda, is defined inside a
            function, or its task is not kept under a name in its module. Also inside such a
            process: the import of a program must not start its worker once more.
    """
    _refuse_in_child()
    fn = task.fn
    module = sys.modules.get(fn.__module__)
    name = None if module is None else _name_of(task, module)
    if module is None or name is None:
        raise ConfigurationError(
            f"the task {task.identifier!r} has executor='process', but another process cannot find "
            f"{fn.__qualname__!r} in the module {fn.__module__!r}: define the function at the top "
            "level of a module and keep its task there under a name"
        )
    if module.__name__ != _MAIN:
        return TaskPath(module.__name__, name)
    return _path_in_main(task, module, name)


def find_task(path: TaskPath) -> ProcessTask:
    """The task at this path, importing its module if need be.

    Raises:
        LookupError: there is no task there.
    """
    module = _main_module(path.file) if path.file else importlib.import_module(path.module)
    try:
        return cast("ProcessTask", reduce(getattr, path.name.split("."), module))
    except AttributeError:
        raise LookupError(
            f"there is no task {path.name!r} in the module {path.module!r} when the process that "
            "runs it imports it"
        ) from None


def _refuse_in_child() -> None:
    if hasattr(sys.modules[_MAIN], MARK_OF_CHILD):
        raise ConfigurationError(
            "a worker is started inside the process that runs one of its tasks; if the program "
            'starts it when imported, put the start under: if __name__ == "__main__":'
        )


def _name_of(task: NamedTask, module: types.ModuleType) -> str | None:
    qualname = task.fn.__qualname__
    found: object = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if found is task:
        return qualname
    return next((name for name, value in vars(module).items() if value is task), None)


def _path_in_main(task: NamedTask, module: types.ModuleType, name: str) -> TaskPath:
    spec = module.__spec__
    if spec is not None:  # python -m: the module has a name of its own
        return TaskPath(spec.name, name)
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).is_file():
        raise ConfigurationError(
            f"the task {task.identifier!r} has executor='process', but is defined in a program "
            "that is not a file (an interactive session, or python -c): put it in a module"
        )
    return TaskPath(_MAIN, name, str(Path(file).resolve()))


def _main_module(file: str) -> types.ModuleType:
    """The program of the parent, imported under a name that does not start it once more."""
    module = sys.modules.get(_MAIN_IN_CHILD)
    if module is None:
        module = types.ModuleType(_MAIN_IN_CHILD)
        module.__dict__.update(runpy.run_path(file, run_name=_MAIN_IN_CHILD))
        sys.modules[_MAIN] = sys.modules[_MAIN_IN_CHILD] = module
    return module
