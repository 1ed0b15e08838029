"""``dbadapter schema``: write a schema as SQL, and compare one with the database."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError
from .output import print_json, print_lines
from .settings import connection_options, open_adapter, settings

if TYPE_CHECKING:
    from ..schema import Schema

__all__ = ["command"]

DIALECT = click.Choice(["postgresql", "sqlite"], case_sensitive=False)


@click.group("schema", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Write a schema as SQL, or compare one with the database.

    A SOURCE is a file of SQL (FILE.sql) or a Schema in Python (module:name).
    """


@command.command("export")
@click.argument("source", required=False)
@click.option("--dialect", type=DIALECT, help="Whose SQL to write; default: the database's.")
@click.option(
    "--from-dialect", type=DIALECT, default="postgresql", show_default=True, help="Whose SQL SOURCE is."
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Into a file."
)
@connection_options
def export(source: str | None, dialect: str | None, from_dialect: str, output: Path | None) -> int:
    """Write the tables of the database, or of SOURCE, as SQL that psql, sqlite3 and code generators take.

    What is left out is named on standard error. Exits with 1 if it was part of a table (a default in its
    backend's own words, say); views and triggers are none of it.
    """
    from ..schema import Schema

    if source is None:
        with open_adapter() as adapter:
            schema = Schema.from_database(adapter)
            dialect = dialect or adapter.dialect.name
    else:
        schema = load_schema(source, from_dialect)
        dialect = dialect or settings().config().db_type.value
    text = schema.to_sql(dialect)
    if output is not None:
        output.write_text(text, encoding="utf-8")
    if settings().as_json:
        print_json(
            {
                "dialect": dialect,
                "tables": schema.table_names,
                "statements": schema.statements(dialect),
                "skipped": schema.skipped,
            }
        )
    elif output is None:
        click.echo(text, nl=False)
    return 0 if _whole(schema) else 1


def _whole(schema: Schema) -> bool:
    """Whether no table, and nothing of one, was left out of what was read; tells what was."""
    for skipped in schema.skipped:
        click.echo(f"left out: {skipped}", err=True)
    lost = any(
        skipped.what.startswith(("table ", "CREATE TABLE ")) or "not understood" in skipped.reason
        for skipped in schema.skipped
    )
    return not lost and bool(schema.tables or not schema.skipped)


@command.command("check")
@click.argument("source")
@click.option(
    "--from-dialect", type=DIALECT, default="postgresql", show_default=True, help="Whose SQL SOURCE is."
)
@connection_options
def check(source: str, from_dialect: str) -> int:
    """Compare SOURCE with the live database.

    Exits with 1 if something is missing or differs, or SOURCE has tables, or parts of them, that cannot be compared.
    """
    schema = load_schema(source, from_dialect)
    with open_adapter() as adapter:
        differences = schema.check(adapter)
    if settings().as_json:
        print_json(differences)
    else:
        print_lines(map(str, differences))
        click.echo(f"{len(schema)} tables, {len(differences)} differences")
    return 1 if not _whole(schema) or differences else 0


def load_schema(source: str, dialect: str) -> Schema:
    """The schema of ``FILE.sql`` or ``module:name``. Raises `ConfigError`."""
    from ..schema import Schema

    module, colon, name = source.partition(":")
    if colon and not Path(source).exists():
        return _imported(module, name)
    try:
        text = Path(source).read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{source} is not text in UTF-8 (byte {exc.start})") from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a path"
        raise ConfigError(f"cannot read {source}: {reason}; a SOURCE is FILE.sql or module:name") from exc
    return Schema.from_sql(text, dialect)


def _imported(module: str, name: str) -> Schema:
    from ..schema import Schema

    if "" not in sys.path and "." not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: the app's modules are in the current directory
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as exc:  # whatever the app's module raises on import
        raise ConfigError(f"cannot load {module}:{name}: {type(exc).__name__}: {exc}") from exc
    if not isinstance(found, Schema):
        raise ConfigError(f"{module}:{name} is a {type(found).__name__}, not a dbadapter.schema.Schema")
    return found
