"""Crontab text: every line is an entry, a comment, or an error."""

from __future__ import annotations

import re
from typing import Any, Final

from graphile_worker.cron.checks import check_option
from graphile_worker.cron.crontab import Crontab
from graphile_worker.cron.expression import Expression
from graphile_worker.cron.faults import Line, together
from graphile_worker.cron.field import CHARACTERS, KINDS, Field, FieldError, parse_field
from graphile_worker.cron.option_text import parse_options
from graphile_worker.cron.payload_text import PayloadTextError, parse_payload
from graphile_worker.errors import CrontabError

# Possessive, so that no line, however long, is gone through twice.
_SHAPE: Final = re.compile(r"\s*+" + r"(\S++)\s++" * len(KINDS) + r"(\S.*+)", re.DOTALL)
_WORD: Final = re.compile(r"\S++")
_SPACE: Final = re.compile(r"\s*+")
_NEWLINE: Final = re.compile(r"\r?\n")
_WANTED: Final = "expected five time fields and a task, such as: 0 8 * * * send_report"


def parse_crontab(text: str) -> list[Crontab]:
    r"""The entries of a crontab, in its order.

    Raises:
        CrontabError: a line is wrong, or two entries have the same identifier. It tells all that
            is wrong in the text, each error with its line, column and a caret.

    Example:
        parse_crontab("0 8 * * 1-5 send_digest ?fill=1h&tz=Europe/Paris {account_id: 42}")
    """
    if not isinstance(text, str):
        raise CrontabError(f"expected crontab text, got {type(text).__name__}")
    found: list[tuple[Line, Crontab]] = []
    errors: list[CrontabError] = []
    for number, raw in enumerate(_NEWLINE.split(text.removeprefix("\ufeff")), 1):
        line = Line(number, raw)
        if raw.strip() and not raw.lstrip().startswith("#"):
            entry, of_line = _parse_line(line)
            errors += of_line
            if entry is not None:
                found.append((line, entry))
    errors += _duplicates(found)
    if errors:
        raise together(errors)
    return [entry for _, entry in found]


def _parse_line(line: Line) -> tuple[Crontab | None, list[CrontabError]]:
    shape = _SHAPE.match(line.text.rstrip())
    if shape is None or not any(CHARACTERS.match(shape[n]) for n in range(1, len(KINDS) + 1)):
        return None, [_not_an_entry(line)]
    expression, errors = _expression(line, shape)
    options, in_command = _command(line, shape.start(len(KINDS) + 1))
    errors += in_command
    if expression is None or errors:
        return None, errors
    return Crontab(expression=expression, **options), []


def _not_an_entry(line: Line) -> CrontabError:
    start = len(line.text) - len(line.text.lstrip())
    if line.text.startswith("@", start):
        return line.error(
            "@ macros are not supported: write five time fields, 0 0 * * * for @daily", start
        )
    return line.error(_WANTED, start)


def _expression(line: Line, shape: re.Match[str]) -> tuple[Expression | None, list[CrontabError]]:
    fields: list[Field] = []
    errors: list[CrontabError] = []
    for number, kind in enumerate(KINDS, 1):
        try:
            fields.append(parse_field(shape[number], kind))
        except FieldError as error:
            errors.append(line.error(error.reason, shape.start(number) + error.offset))
    return (None, errors) if errors else (Expression(*fields), [])


def _command(line: Line, start: int) -> tuple[dict[str, Any], list[CrontabError]]:
    """The task, its options and payload, by the names of `Crontab`'s fields."""
    text = line.text.rstrip()
    errors: list[CrontabError] = []
    found: dict[str, Any] = {}
    found["task"], at = _word(text, start)
    try:
        check_option("task", found["task"])
    except ValueError as error:
        errors.append(line.error(str(error), start))
    if text.startswith("?", at):
        options, place = _word(text, at)
        read, wrong = parse_options(options[1:])
        found |= read
        errors += (line.error(error.reason, at + 1 + error.offset) for error in wrong)
        if options == "?":
            errors.append(line.error("options are missing after the ?", at))
        at = place
    if at < len(text):
        try:
            found["payload_json"] = parse_payload(text[at:])
        except PayloadTextError as error:
            errors.append(line.error(error.reason, at + error.offset))
    return found, errors


def _word(text: str, start: int) -> tuple[str, int]:
    """The word that starts here, and where the next one does."""
    word = _WORD.match(text, start)
    end = start if word is None else word.end()
    space = _SPACE.match(text, end)
    return text[start:end], end if space is None else space.end()


def _duplicates(found: list[tuple[Line, Crontab]]) -> list[CrontabError]:
    first: dict[str, int] = {}
    errors: list[CrontabError] = []
    for line, entry in found:
        taken = first.setdefault(entry.identifier, line.number)
        if taken != line.number:
            start = len(line.text) - len(line.text.lstrip())
            errors.append(
                line.error(
                    f"the identifier {entry.identifier!r} is taken by line {taken}: tell the "
                    "entries apart with ?id=…",
                    start if entry.id is None else line.text.find("id=", start),
                )
            )
    return errors
