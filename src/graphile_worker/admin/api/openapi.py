"""The OpenAPI 3.1 document, made of the table of endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from graphile_worker.admin.web.endpoint import Endpoint
from graphile_worker.admin.web.idempotency import HEADER
from graphile_worker.admin.web.permissions import Identity
from graphile_worker.admin.web.requests import json_answer
from graphile_worker.runtime.version import VERSION

PATH: Final = "/api/v1/openapi.json"
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_SCHEMAS: Final = "#/components/schemas/{name}"
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
_PROBLEMS: Final = {
    "400": "The request makes no sense",
    "401": "Nobody knows who asks",
    "403": "A permission is missing, everything is read-only, or another site asked",
    "404": "There is no such thing",
    "408": "The body took too long",
    "409": "The job could not be stored at that moment",
    "413": "The body is larger than 1 MiB",
    "415": "The body is no JSON",
    "422": "A hook refused the job, or the key of the request was used for another one",
    "429": "More than 20 changes a second",
    "500": "Something is wrong here",
    "503": "The database is away, has no schema, or took too long",
}


def openapi_endpoint(endpoints: Iterable[Endpoint]) -> Endpoint:
    """The endpoint of the document on these endpoints."""
    text = document(endpoints)

    async def answer(request: Request, _identity: Identity) -> Response:
        # The root of a mounted application; what hosts it adds the scheme and the host.
        root = request.scope.get("root_path", "") or "/"
        return json_answer({**text, "servers": [{"url": root}]})

    return Endpoint(method="GET", path=PATH, call=answer, needs=("view",))


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document; `servers` is added when it is asked for."""
    described = [endpoint for endpoint in endpoints if endpoint.described is not None]
    types = list(dict.fromkeys(kind for one in described for kind in _types(one)))
    found, components = msgspec.json.schema_components(types, ref_template=_SCHEMAS)
    schemas = dict(zip(types, found, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in described:
        path = _PARAMETER.sub(r"{\1}", endpoint.path)
        operation = _operation(endpoint, schemas, components)
        paths.setdefault(path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Graphile Worker admin API", "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"basic": []}, {"bearer": []}],
    }


def _types(endpoint: Endpoint) -> Iterator[Any]:
    if endpoint.described is not None:
        parts = (endpoint.described.query, endpoint.described.body, endpoint.described.answers)
        yield from (part for part in parts if part is not None)


def _operation(
    endpoint: Endpoint, schemas: Mapping[Any, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    said = endpoint.described
    if said is None:
        raise AssertionError
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
        for name in _PARAMETER.findall(endpoint.path)
    ]
    if said.query is not None:
        parameters += _query(schemas[said.query], components)
    if endpoint.method == "POST":
        parameters.append({"name": HEADER, "in": "header", "schema": _key_schema()})
    answer: dict[str, Any] = {"description": said.summary}
    schema: Any = {} if said.answers is None else schemas[said.answers]
    answer["content"] = {said.media_type: {"schema": schema}}
    operation: dict[str, Any] = {
        "summary": said.summary,
        "operationId": _name(endpoint),
        "description": f"Needs the permission {' or '.join(endpoint.needs or ())}.",
        "parameters": parameters,
        "responses": {str(said.status): answer, **_problems(endpoint)},
    }
    if said.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[said.body]}},
        }
    return operation


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    only_changes = {"408", "409", "413", "415", "422", "429"}
    return {
        status: {"description": text, "content": content}
        for status, text in _PROBLEMS.items()
        if endpoint.method != "GET" or status not in only_changes
    }


def _query(schema: Mapping[str, Any], components: Mapping[str, Any]) -> list[dict[str, Any]]:
    own: Mapping[str, Any] = components[schema["$ref"].rpartition("/")[2]]
    required = own.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": of}
        for name, of in own.get("properties", {}).items()
    ]


def _path_schema(name: str) -> dict[str, Any]:
    if name == "id":
        return {"type": "string", "pattern": "^[0-9a-f]{1,19}$"}
    return {"type": "string", "minLength": 1}


def _key_schema() -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": 200}


def _name(endpoint: Endpoint) -> str:
    path = _PARAMETER.sub("", endpoint.path.removeprefix("/api/v1/"))
    return "_".join([endpoint.method.lower(), *re.findall(r"\w+", path)]) + (
        "_one" if endpoint.path.endswith("}") else ""
    )
