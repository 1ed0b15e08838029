"""``dbadapter tables``: which tables there are, and what one looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from .._jsonable import jsonable
from ..types import ColumnInfo, TableInfo
from .output import print_json, print_lines, print_table
from .settings import connection_options, open_adapter, settings

__all__ = ["command"]


@click.command("tables")
@click.argument("name", required=False)
@click.option("--counts", is_flag=True, help="Count the rows; on a large table that takes a while.")
@connection_options
def command(name: str | None, counts: bool) -> None:
    """List the tables, or describe the table NAME."""
    with open_adapter() as adapter:

        def count(table: str) -> int:
            found: int = adapter.fetch_value(f"SELECT count(*) FROM {adapter.dialect.quote(table)}")
            return found

        if name is not None:
            info = adapter.describe_table(name)
            _describe(info, count(name) if counts else None)
            return
        tables = adapter.list_tables()
        counted = {table: count(table) for table in tables} if counts else {}
    if settings().as_json:
        print_json([{"name": table, "rows": counted[table]} for table in tables] if counts else tables)
    elif counts:
        print_table(["table", "rows"], counted.items())
    else:
        print_lines(tables)


def _describe(info: TableInfo, rows: int | None) -> None:
    if settings().as_json:
        known: dict[str, Any] = jsonable(info)
        print_json(known if rows is None else {**known, "rows": rows})
        return
    print_table(
        ["column", "type", "null", "default", ""],
        (
            [column.name, column.type, "yes" if column.nullable else "no", column.default, _remark(column)]
            for column in info.columns
        ),
    )
    print_lines(_keys(info))
    if rows is not None:
        print_lines([f"{rows} rows"])


def _remark(column: ColumnInfo) -> str:
    return "primary key" if column.primary_key else "generated" if column.generated else ""


def _keys(info: TableInfo) -> Iterator[str]:
    if info.primary_key:
        yield f"primary key: {', '.join(info.primary_key)}"
    for key in info.foreign_keys:
        changes = {"on delete": key.on_delete, "on update": key.on_update}
        extra = "".join(f", {when} {what.lower()}" for when, what in changes.items() if what != "NO ACTION")
        columns, referred = ", ".join(key.columns), ", ".join(key.ref_columns)
        yield f"foreign key: {columns} refers to {key.ref_table} ({referred}){extra}"
    for index in info.indexes:
        columns = ", ".join(column or "(expression)" for column in index.columns)
        kind = "unique index" if index.unique else "index"
        yield f"{kind}: {index.name} on {columns}{', partial' if index.partial else ''}"
