"""``dbadapter vectors``: look at the vector collections, and bring them here from elsewhere."""

from __future__ import annotations

import click

from .output import print_json, print_table
from .settings import connection_options, open_adapter, settings

__all__ = ["command"]


@click.group("vectors", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look at the vector collections, and bring them here from elsewhere."""


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
