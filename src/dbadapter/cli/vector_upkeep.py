"""``dbadapter vectors show|index|vacuum|reindex|recall``: how large the collections are, and keeping them well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .output import print_json, print_lines, print_table
from .settings import connection_options, open_adapter, settings

if TYPE_CHECKING:
    from .. import DatabaseAdapter

__all__ = ["COMMANDS"]

_RECALL_AT_LEAST = 0.95

_names = click.argument("names", nargs=-1, metavar="[NAME]...")


def _chosen(adapter: DatabaseAdapter, names: Sequence[str]) -> list[Any]:
    """The collections of these names; all, if none is named. Raises `CollectionNotFound`."""
    store = adapter.vectors
    return [store.get_collection(name) for name in names] if names else store.list_collections()


@click.command("show")
@click.argument("name")
@connection_options
def show(name: str) -> None:
    """Show all that is known of one collection: sizes, index, model, what it is tied to."""
    with open_adapter() as adapter:
        found = adapter.vectors.get_collection(name).stats()
    if settings().as_json:
        print_json(found)
        return
    print_table(["", ""], ((key, value) for key, value in found.items() if value is not None))


def _options(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    """``m=24`` and the like."""
    options = {}
    for value in values:
        name, sign, number = value.partition("=")
        if not sign or not number.strip().isdigit():
            raise click.BadParameter(f"{value!r} is not like m=24")
        options[name.strip()] = int(number)
    return options


@click.command("index")
@click.argument("name")
@click.argument("kind", type=click.Choice(["hnsw", "ivfflat", "fulltext", "none"]))
@click.option(
    "--option", "-o", "options", multiple=True, metavar="NAME=NUMBER", callback=_options, help="As in m=24."
)
@connection_options
def index(name: str, kind: str, options: dict[str, int]) -> None:
    """Make a collection's index, in the place of the one it has; none takes it away.

    The local engine needs none: there the choice is remembered for a move to Postgres.
    """
    with open_adapter() as adapter:
        collection = adapter.vectors.get_collection(name)
        if kind == "none":
            collection.drop_index()
        else:
            collection.create_index(kind, **options)
        found = collection.stats()
    if settings().as_json:
        print_json(found)
    else:
        print_lines([f"{name}: {kind}"])


def _each(verb: str, help: str) -> click.Command:
    """A command that does something to each collection, and says how large it was before and is now."""

    @click.command(verb, help=help)
    @_names
    @connection_options
    def run(names: tuple[str, ...]) -> None:
        rows = []
        with open_adapter() as adapter:
            for collection in _chosen(adapter, names):
                before = collection.stats()["disk_bytes"]
                getattr(collection, verb)()
                rows.append((collection.name, before, collection.stats()["disk_bytes"]))
        columns = ["collection", "bytes before", "bytes now"]
        if settings().as_json:
            print_json([dict(zip(("name", "bytes_before", "bytes_now"), row, strict=True)) for row in rows])
        else:
            print_table(columns, rows)

    return run


@click.command("recall")
@_names
@click.option("--samples", type=click.IntRange(1), default=50, show_default=True, help="How many searches.")
@click.option(
    "-k", "k", type=click.IntRange(1), default=10, show_default=True, help="How many neighbours each."
)
@click.option(
    "--at-least",
    type=click.FloatRange(0, 1),
    default=_RECALL_AT_LEAST,
    show_default=True,
    help="Exit with 1 if a collection's searches find less.",
)
@connection_options
def recall(names: tuple[str, ...], samples: int, k: int, at_least: float) -> int:
    """Tell how much of the true neighbours searches find, from a sample of each collection's own vectors."""
    with open_adapter() as adapter:
        found = {each.name: each.check_recall(samples, k) for each in _chosen(adapter, names)}
    enough = all(share >= at_least for share in found.values())
    if settings().as_json:
        print_json({"recall": found, "enough": enough})
    else:
        print_table(["collection", "recall"], ((name, f"{share:.3f}") for name, share in found.items()))
    return 0 if enough else 1


COMMANDS: Sequence[click.Command] = (
    show,
    index,
    _each("vacuum", "Give back the room that deleted records took: of the collections named, or of all."),
    _each(
        "reindex",
        "Make the indexes anew, of the records as they are now: of the collections named, or of all.",
    ),
    recall,
)
