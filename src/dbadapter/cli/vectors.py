"""``dbadapter vectors``: look at the vector collections, keep them well, and bring them here from elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import DatabaseConfig
from .output import print_json, print_table
from .settings import connection_options, open_adapter, settings
from .vector_upkeep import COMMANDS

__all__ = ["command"]


@click.group("vectors", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look at the vector collections, keep them well, and bring them here from elsewhere."""


for upkeep in COMMANDS:
    command.add_command(upkeep)


@command.command("list")
@connection_options
def list_collections() -> None:
    """List the collections with their sizes."""
    with open_adapter() as adapter:
        found = [collection.stats() for collection in adapter.vectors.list_collections()]
    if settings().as_json:
        print_json(found)
        return
    columns = ["name", "count", "dimension", "metric", "model", "references"]
    print_table(columns, ([row[column] for column in columns] for row in found))


@command.command("import-chroma")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--collection", "collections", multiple=True, metavar="NAME", help="Only this one; may be repeated."
)
@connection_options
def import_chroma(directory: Path, collections: tuple[str, ...]) -> int:
    """Import the collections of a Chroma directory, which is only read; chromadb is not needed.

    Records that are here already stay as they are, so it can be run again. Exits with 1 if something did not arrive.
    """
    from ..vectors import import_chroma as run

    with open_adapter(create=True) as adapter:
        report = run(directory, adapter, collections=collections or None)
    if settings().as_json:
        print_json({"imported": report.imported, "complete": report.complete, "report": report})
        return 0 if report.complete else 1
    columns = ["collection", "here", "found", "imported", "here before", "problems"]
    print_table(
        columns,
        ([c.name, c.target, c.found, c.imported, c.present, len(c.problems)] for c in report.collections),
    )
    for problem in report.problems:
        click.echo(f"problem: {problem}")
    for each in report.collections:
        for missed in each.problems:
            click.echo(f"{each.name}: {missed.what} of {missed.id or 'several records'}: {missed.reason}")
    return 0 if report.complete else 1


@command.command("copy")
@click.option("--to", "target", metavar="URL", required=True, help="The database that gets them.")
@click.option(
    "--collection", "collections", multiple=True, metavar="NAME", help="Only this one; may be repeated."
)
@connection_options
def copy(target: str, collections: tuple[str, ...]) -> None:
    """Copy the collections to another database, or bring earlier copies up to date.

    Rows that a collection refers to have to be there before: see `dbadapter migrate`.
    """
    from ..vectors import copy_collections

    receiving = DatabaseConfig.from_url(target)
    with open_adapter() as source, open_adapter(receiving, create=True) as there:
        report = copy_collections(source, there, names=collections or None)
    if settings().as_json:
        print_json(report)
        return
    print_table(
        ["collection", "records", "written"], ([c.name, c.records, c.written] for c in report.collections)
    )
