"""The OpenAPI document of the interface."""

from __future__ import annotations

from typing import Any

from .. import __version__
from .rows import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET

__all__ = ["openapi_document"]

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}


def openapi_document(root: str) -> dict[str, Any]:
    """The document (OpenAPI 3.1) for an app mounted under `root`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dbadapter",
            "version": __version__,
            "description": "State of a database adapter and its data, read-only.",
        },
        "servers": [{"url": root or "/"}],
        "security": [{}, {"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _paths() -> dict[str, Any]:
    name = {"name": "name", "in": "path", "required": True, "description": "A table.", "schema": TEXT}
    return {
        "/health": {
            "get": {
                **_get("Whether the database answers, within a second.", "Health", unavailable=False),
                "security": [{}],
                "responses": {
                    "200": _json("It does, for reading or writing at least.", "Health"),
                    "503": _json("It does not.", "Health"),
                },
            }
        },
        "/status": {"get": _get("The database in use and how it fares.", "Status")},
        "/stats": {"get": _get("The figures of the pool.", "Stats")},
        "/tables": {"get": _get("The names of the tables.", "Tables")},
        "/tables/{name}": {
            "get": {
                **_get("Columns, keys and indexes of a table.", "Table", missing=True),
                "parameters": [name],
            }
        },
        "/tables/{name}/rows": {
            "get": {
                **_get(
                    "Rows of a table, in the order of its primary key.", "Rows", missing=True, refusing=True
                ),
                "parameters": [
                    name,
                    _argument("limit", DEFAULT_LIMIT, 1, MAX_LIMIT),
                    _argument("offset", 0, 0, MAX_OFFSET),
                    {
                        "name": "filters",
                        "in": "query",
                        "style": "form",
                        "explode": True,
                        "description": "COLUMN=VALUE: rows with these values, in the columns' types.",
                        "schema": {"type": "object", "additionalProperties": TEXT},
                    },
                ],
            }
        },
        "/metrics": {
            "get": {
                "summary": "The figures for Prometheus.",
                "responses": {
                    "200": {"description": "Metrics.", "content": {"text/plain": {"schema": TEXT}}},
                    "401": _json("No token, or a wrong one.", "Error"),
                },
            }
        },
    }


def _get(
    summary: str, schema: str, *, missing: bool = False, refusing: bool = False, unavailable: bool = True
) -> dict[str, Any]:
    responses = {"200": _json("Done.", schema), "401": _json("No token, or a wrong one.", "Error")}
    if refusing:
        responses["400"] = _json("No such column, or no value of its type.", "Error")
    if missing:
        responses["404"] = _json("There is no such table.", "Error")
    if unavailable:
        responses["502"] = _json("The database holds what cannot be passed on.", "Error")
        responses["503"] = _json("The database does not answer.", "Error")
        responses["504"] = _json("The database took too long.", "Error")
    return {"summary": summary, "responses": responses}


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _argument(name: str, default: int, low: int, high: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": low, "maximum": high, "default": default}
    return {"name": name, "in": "query", "schema": schema}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _schemas() -> dict[str, Schema]:
    health = _object(
        status={"type": "string", "enum": ["healthy", "degraded", "unhealthy"]},
        main_pool=FLAG,
        read_pool=FLAG,
        db_type=TEXT,
    )
    node = _object(
        role=TEXT,
        host=_or_null(TEXT),
        port=_or_null(COUNT),
        healthy=FLAG,
        active=COUNT,
        idle=COUNT,
        lag_bytes=_or_null(COUNT),
        lag_seconds=_or_null(NUMBER),
    )
    holder = _object(thread=_or_null(TEXT), task=_or_null(TEXT), seconds=NUMBER, where=_or_null(TEXT))
    pool = _object(
        **dict.fromkeys(("active", "idle", "created", "min", "max", "waiting", "requests"), COUNT),
        **dict.fromkeys(("requests_waited", "timeouts", "errors", "recycled", "leaks"), COUNT),
        utilization=NUMBER,
        wait_ms=_object(mean=NUMBER, p95=NUMBER, max=NUMBER),
        nodes=_list(node),
        holders=_list(holder),
    )
    slow = _object(statement=TEXT, count=COUNT, mean_ms=NUMBER, max_ms=NUMBER)
    column = _object(
        name=TEXT, type=TEXT, nullable=FLAG, default=_or_null(TEXT), primary_key=FLAG, generated=FLAG
    )
    stats = {
        **pool,
        "properties": {**pool["properties"], "db_type": TEXT, "epoch": COUNT, "slowest": _list(slow)},
    }
    return {
        "Error": _object(error=TEXT),
        "Health": health,
        "Status": _object(db_type=TEXT, database=TEXT, open=FLAG, epoch=COUNT, health=health, pool=pool),
        "Stats": stats,
        "Tables": _object(tables=_list(TEXT)),
        "Table": _object(name=TEXT, columns=_list(column), primary_key=_list(TEXT)),
        "Rows": _object(
            table=TEXT,
            columns=_list(TEXT),
            rows=_list({"type": "array"}),
            limit=COUNT,
            offset=COUNT,
            more=FLAG,
        ),
    }
