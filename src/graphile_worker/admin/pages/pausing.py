"""Pausing and resuming queues, tasks, cron entries, and everything."""

from __future__ import annotations

from typing import Final

from graphile_worker.admin.pages import words
from graphile_worker.admin.pages.acting import Doing, Given
from graphile_worker.admin.pages.questions import Question, Told
from graphile_worker.admin.pages.site import Site
from graphile_worker.admin.pages.view import View
from graphile_worker.errors import ConfigurationError

_KINDS: Final = {
    "queue": "queue",
    "task": "task",
    "cron": "cron entry",
    "all": "everything",
}
"""What can be paused: as an address says it, and as the service does."""


async def ask_pause(v: View, site: Site, given: Given) -> Question:
    """Pause something."""
    kind, name = _pausable(given)
    text = (
        f"No worker takes another job of {name}, Node.js and Rust included. A running job ends as "
        "usual. Jobs can still be added, and wait."
        if kind == "queue"
        else f"Python workers leave {_called(kind, name)} alone until it is resumed. Running jobs "
        f"end as usual.{await _foreign(site)}"
    )
    return Question(
        title=f"Pause {_called(kind, name)}?",
        text=text,
        action=v.url("pause"),
        button="Pause",
        hidden=[("kind", kind), ("name", name)],
        back=_seen(v, kind, name),
    )


async def pause(doing: Doing, given: Given) -> Told:
    """Do it."""
    kind, name = _pausable(given)
    await doing.changing.pause(doing.actor, _KINDS[kind], name)
    return Told(text=f"{_named(kind, name)} is paused.")


async def ask_resume(v: View, _site: Site, given: Given) -> Question:
    """Let it go on."""
    kind, name = _pausable(given)
    text = (
        "If one of its jobs is still running, it goes on when that has ended."
        if kind == "queue"
        else "Python workers go on with it within a second or so."
    )
    return Question(
        title=f"Resume {_called(kind, name)}?",
        text=text,
        action=v.url("resume"),
        button="Resume",
        hidden=[("kind", kind), ("name", name)],
        back=_seen(v, kind, name),
    )


async def resume(doing: Doing, given: Given) -> Told:
    """Do it."""
    kind, name = _pausable(given)
    done = await doing.changing.resume(doing.actor, _KINDS[kind], name)
    called = _named(kind, name)
    waits = getattr(done, "waits_for", [])
    if waits:
        return Told(text=f"{called} goes on when job {waits[0]} ends.")
    return Told(text=f"{called} goes on." if done.was_paused else f"{called} was not paused.")


async def _foreign(site: Site) -> str:
    """How many workers will not hear of it."""
    fleet = (await site.samples.figures.get()).value.fleet
    others = sum(member.kind != "python" and member.state != "stale" for member in fleet)
    if not others:
        return ""
    return f" {words.plural(others, 'worker')} of other kinds will go on with it."


def _pausable(given: Given) -> tuple[str, str]:
    kind, name = given.get("kind", ""), given.get("name", "")
    if kind not in _KINDS or (not name and kind != "all"):
        raise ConfigurationError(f"kind must be one of {', '.join(_KINDS)}, got {kind[:40]!r}")
    return kind, name


def _called(kind: str, name: str) -> str:
    return "everything" if kind == "all" else f"{_KINDS[kind]} {name}"


def _named(kind: str, name: str) -> str:
    """The same at the beginning of a sentence; names keep their letters."""
    called = _called(kind, name)
    return called[:1].upper() + called[1:]


def _seen(v: View, kind: str, name: str) -> str:
    match kind:
        case "queue":
            return v.named("queues", name)
        case "task":
            return v.named("tasks", name)
        case "cron":
            return v.url("cron")
        case _:
            return v.url("")
