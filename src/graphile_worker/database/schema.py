"""The name of the schema, quoted once."""

from __future__ import annotations

from dataclasses import dataclass

from graphile_worker.errors import ConfigurationError

MAX_BYTES = 63
"""PostgreSQL cuts longer identifiers without a word (NAMEDATALEN - 1)."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema name as the user wrote it, and as SQL wants it.

    Raises:
        ConfigurationError: empty, longer than 63 bytes, or holding a NUL.
    """

    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigurationError("schema must not be empty")
        if "\0" in self.name:
            raise ConfigurationError(f"schema must not contain a NUL character, got {self.name!r}")
        if len(self.name.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise ConfigurationError(
                f"schema must not be longer than {MAX_BYTES} bytes, got {self.name!r}"
            )

    @property
    def quoted(self) -> str:
        """The identifier, always quoted, safe to put into SQL text."""
        return '"' + self.name.replace('"', '""') + '"'

    def fill(self, text: str) -> str:
        """Put the schema into the text of a statement, in place of its one placeholder."""
        return text.replace(":GRAPHILE_WORKER_SCHEMA", self.quoted)
