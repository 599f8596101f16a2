"""Payloads that a program stores in a form of its own, encrypted perhaps, as JSON to look at."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from graphile_worker.errors import ConfigurationError
from graphile_worker.queries.admin_jobs import JobRow

logger = logging.getLogger(__name__)

PayloadDecoder: TypeAlias = Callable[[str, str], "str | Awaitable[str]"]
"""Answers with the payload to show, as JSON text, for a task and the JSON text that is stored. May
be async; a plain function is called in a thread."""

TOO_BIG: Final = "it is too big to be decoded here"


@dataclasses.dataclass(frozen=True, slots=True)
class Decoded:
    """A payload as it can be shown.

    Attributes:
        text: JSON; as it is stored, where that went wrong.
        problem: why it could not be decoded.
    """

    text: str
    problem: str | None = None


class Decoding:
    """Decodes payloads; without a decoder they stay as they are.

    Args:
        decoder: of the host.

    Raises:
        ConfigurationError: it is no function.
    """

    def __init__(self, decoder: PayloadDecoder | None = None) -> None:
        if decoder is not None and not callable(decoder):
            raise ConfigurationError(
                f"payload_decoder must be a function of a task and its payload, got {decoder!r}"
            )
        self._decoder: Any = decoder
        self._is_async = any(
            map(inspect.iscoroutinefunction, (decoder, getattr(decoder, "__call__", None)))  # noqa: B004
        )

    @property
    def is_on(self) -> bool:
        """Whether there is anything to decode."""
        return self._decoder is not None

    def chars(self, plain: int, decoded: int = 65_536) -> int:
        """How much to read of a payload.

        Args:
            plain: characters, where the beginning will do.
            decoded: characters, where all of it is wanted.
        """
        return decoded if self.is_on else plain

    async def one(self, task: str, payload: str, *, is_cut: bool = False) -> Decoded:
        """One payload; of one that was cut nothing can be made out."""
        if is_cut and self.is_on:
            return Decoded(payload, TOO_BIG)
        return (await self.all([(task, payload)]))[0]

    async def all(self, stored: Sequence[tuple[str, str]]) -> list[Decoded]:
        """Payloads with their tasks; whatever a decoder raises becomes a problem."""
        if self._decoder is None:
            return [Decoded(payload) for _, payload in stored]
        if self._is_async:
            found = [await self._awaited(task, payload) for task, payload in stored]
        else:
            found = await asyncio.to_thread(lambda: [self._called(*one) for one in stored])
        problems = [one.problem for one in found if one.problem is not None]
        if problems:
            logger.warning(
                "%d of %d jobs cannot be decoded: %s", len(problems), len(found), problems[0]
            )
        return found

    async def rows(
        self, rows: list[JobRow], *, most: int | None = None, keeps: bool = False
    ) -> list[JobRow]:
        """Jobs with their payloads decoded; one that cannot be is left out.

        Args:
            rows: the jobs.
            most: characters from which on a payload is the beginning of one. None: all are whole.
            keeps: leave what cannot be decoded as it is stored.
        """
        if not self.is_on:
            return rows
        whole = (row for row in rows if row.payload is not None)
        has = [row for row in whole if most is None or len(row.payload or "") < most]
        found = await self.all([(row.task, row.payload or "") for row in has])
        texts = {
            row.id: one.text if one.problem is None or keeps else None
            for row, one in zip(has, found, strict=True)
        }
        return [dataclasses.replace(row, payload=texts.get(row.id)) for row in rows]

    async def _awaited(self, task: str, payload: str) -> Decoded:
        try:
            return _checked(payload, await self._decoder(task, payload))
        except Exception as error:  # noqa: BLE001 (the host's own)
            return _failed(payload, error)

    def _called(self, task: str, payload: str) -> Decoded:
        try:
            return _checked(payload, self._decoder(task, payload))
        except Exception as error:  # noqa: BLE001 (the host's own)
            return _failed(payload, error)


def _checked(payload: str, found: object) -> Decoded:
    """What is no JSON could not be searched for secrets."""
    if not isinstance(found, str):
        return Decoded(payload, f"the decoder answered with {type(found).__name__}, not text")
    if found != payload:
        try:
            msgspec.json.decode(found, type=msgspec.Raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return Decoded(payload, "the decoder answered with text that is not JSON")
    return Decoded(found)


def _failed(payload: str, error: Exception) -> Decoded:
    """By its name alone: what it says may quote the payload."""
    return Decoded(payload, f"the decoder raised {type(error).__name__}")
