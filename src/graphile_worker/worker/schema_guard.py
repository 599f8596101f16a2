"""Noticing that somebody migrated the schema to what this version cannot work with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from graphile_worker.database.executor import Executor
from graphile_worker.database.schema import Schema
from graphile_worker.errors import DatabaseError, IncompatibleSchemaError, SchemaMissingError
from graphile_worker.migrations.state import check_schema
from graphile_worker.runtime.wakeup import Wakeup

logger = logging.getLogger(__name__)

_LOOK_EVERY: Final = 60.0
"""Seconds; a notification comes sooner, but not to a worker that polls, or that was cut off."""


class SchemaGuard:
    """Looks at the schema when it is told to, and once a minute.

    Collaborators: `on_unusable` gets the error that says why the worker cannot go on.
    """

    def __init__(
        self,
        executor: Executor,
        schema: Schema,
        *,
        on_unusable: Callable[[DatabaseError], None],
    ) -> None:
        self._executor = executor
        self._schema = schema
        self._on_unusable = on_unusable
        self.look = Wakeup()
        """Call it to have it look now."""

    async def run(self) -> None:
        """Guard until the schema is of no use, or until cancelled."""
        while True:
            await self.look.wait(_LOOK_EVERY)
            try:
                await check_schema(self._executor, self._schema)
            except (IncompatibleSchemaError, SchemaMissingError) as error:
                self._on_unusable(error)
                return
            except DatabaseError as error:
                logger.debug("could not look at the schema: %s", error)
