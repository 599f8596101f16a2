"""Statements on a Django connection, in whatever transaction Django has open.

They go through Django's own cursor: so a broken `atomic` block refuses them, errors become those
of `django.db`, and query logs and wrappers see them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader

from graphile_worker.database.statement import Statement
from graphile_worker.drivers.notes import noted
from graphile_worker.drivers.placeholders import named, pyformat
from graphile_worker.drivers.psycopg_cursor import rows_of
from graphile_worker.errors import ConfigurationError

T = TypeVar("T")


class BorrowedDjango:
    """An executor on a Django connection, or on the proxy `django.db.connection`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, statement: Statement[T]) -> T:
        """Send the statement: at once in autocommit mode, else as part of the `atomic` block.

        Raises:
            ConfigurationError: the connection is not one to PostgreSQL, or not by psycopg 3.
        """
        if getattr(self._connection, "vendor", None) != "postgresql":
            raise ConfigurationError(
                f"the Django connection {self._alias!r} leads to {self._vendor}, not to PostgreSQL"
            )
        with noted(statement), self._connection.cursor() as cursor:
            self._read_utc(cursor)
            cursor.execute(pyformat(statement.text), named(statement.args))
            with self._connection.wrap_database_errors:
                rows = rows_of(cursor.cursor)
        return statement.decode(rows)

    def _read_utc(self, cursor: Any) -> None:
        """Without USE_TZ Django reads times without a zone; this cursor is not to."""
        adapters = getattr(cursor, "adapters", None)
        if adapters is None:
            raise ConfigurationError(
                f"the Django connection {self._alias!r} uses psycopg2; install psycopg 3: "
                "pip install 'graphile-worker[django]'"
            )
        adapters.register_loader("timestamptz", _UtcTextLoader)

    @property
    def _alias(self) -> Any:
        return getattr(self._connection, "alias", "?")

    @property
    def _vendor(self) -> Any:
        return getattr(self._connection, "display_name", "something else")


class _UtcTextLoader(TimestamptzLoader):
    def load(self, data: Buffer) -> datetime:
        return super().load(data).astimezone(UTC)
