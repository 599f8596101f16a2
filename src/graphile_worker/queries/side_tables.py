"""Tables that are ours alone, and the ledger that tells of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphile_worker.database.schema import Schema
from graphile_worker.database.statement import Row, Statement, is_true, nothing
from graphile_worker.queries.loader import load

META: Final = "_gwx_meta"
"""The ledger."""

_LOCK: Final = 0x47575854
"""Of advisory locks, the first key: "GWXT"."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Side tables that are there."""

    name: str
    version: int
    settings: Mapping[str, Any]


def ddl(schema: Schema, name: str, **literals: str) -> Statement[None]:
    """A statement that makes or drops something; `sql/<name>.sql`.

    Args:
        schema: where the tables are.
        name: of the file.
        literals: what stands in place of `:NAME`, since such statements take no arguments; never
            anything from outside.
    """
    text = load(name, schema)
    for literal, value in literals.items():
        text = text.replace(f":{literal}", value)
    return Statement(name, text, (), nothing)


def table_exists(schema: Schema, table: str) -> Statement[bool]:
    """Whether a side table is there."""
    name = "side_tables/exists"
    return Statement(name, load(name, schema), (f"{schema.quoted}.{table}",), is_true)


def lock_side_tables(schema: Schema) -> Statement[None]:
    """Be the one who makes or removes side tables, to the end of the transaction."""
    name = "side_tables/lock"
    return Statement(name, load(name, schema), (_LOCK, schema.name), nothing)


def features(schema: Schema) -> Statement[dict[str, Feature]]:
    """What the ledger, which must be there, tells of."""
    name = "side_tables/features"
    return Statement(name, load(name, schema), (), _features)


def remember_feature(schema: Schema, feature: Feature) -> Statement[None]:
    """Write into the ledger that a feature is there."""
    name = "side_tables/remember_feature"
    args = (feature.name, feature.version, json.dumps(dict(feature.settings)))
    return Statement(name, load(name, schema), args, nothing)


def forget_feature(schema: Schema, feature: str) -> Statement[None]:
    """Take a feature out of the ledger."""
    name = "side_tables/forget_feature"
    return Statement(name, load(name, schema), (feature,), nothing)


def _features(rows: Sequence[Row]) -> dict[str, Feature]:
    return {row[0]: Feature(row[0], row[1], json.loads(row[2])) for row in rows}
