"""Things that are opened: `async with open() as x` or `x = await open()`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar


class AsyncCloseable(Protocol):
    """Something with an `aclose`."""

    async def aclose(self) -> None:
        """Close it."""
        ...


C = TypeVar("C", bound=AsyncCloseable)


class Opening(Generic[C]):
    """What an opening function returns, as in `asyncpg.create_pool`: both forms open it once.

    With `async with` it is closed at the end of the block; after `await` the caller closes it.
    """

    def __init__(self, opener: Callable[[], Awaitable[C]]) -> None:
        self._opener = opener
        self._opened: C | None = None

    def __await__(self) -> Generator[object, None, C]:
        return self._opener().__await__()

    async def __aenter__(self) -> C:
        self._opened = await self._opener()
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            await self._opened.aclose()

    if not TYPE_CHECKING:  # for type checkers there is nothing more here

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(
                f"this is still to be opened, and has no {name!r}: write `async with … as opened:` "
                "or `opened = await …`"
            )
