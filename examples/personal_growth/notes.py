"""Notes with their embeddings: from SQLite and Chroma to Postgres with pgvector, and back.

    python notes.py --sqlite growth.db --postgres postgresql://me@localhost/growth [--chroma chroma_data/]

Without the options the environment says where they are: GROWTH_SQLITE, GROWTH_POSTGRES, GROWTH_CHROMA.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from pathlib import Path

import attrs
from notebook import MANY, Notebook

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import DatabaseAdapterError

# What the diary is made of.
WORDS = (
    "river mountain letter window garden paper silver winter music bridge candle ocean forest story bread stone"
    " harbour lamp orchard violin market ladder saddle kettle feather thunder meadow lantern compass anchor"
).split()


def begin(notebook: Notebook, chroma: Path | None) -> None:
    """The app as it is: on SQLite, its vectors beside the notes."""
    notebook.prepare()
    if chroma is not None:
        report = notebook.adopt(chroma)
        print(f"adopted {report.imported} vectors from Chroma")
        for each in report.collections:
            for problem in each.problems:
                print(f"left in Chroma: {problem.id or 'several'}: {problem.reason}")
    notebook.write("garden", ["Water the tomatoes", "Prune the old apple tree", "Buy tomato seeds"])
    running = notebook.write("running", ["Run ten kilometres", "Buy new running shoes"])
    notebook.plan("running", "Order the shoes", running[1])


def grow(notebook: Notebook) -> None:
    """The app on Postgres: more notes in batches, and the index that suits their number."""
    print(f"index: {notebook.index()}")
    done = notebook.plan("reading", "Finish the diary")
    chance = random.Random(4)
    diary = [f"Day {day}: {' '.join(chance.choices(WORDS, k=6))}" for day in range(MANY)]
    notebook.write("reading", diary)
    print(f"index: {notebook.index()}")
    collection = notebook.embeddings(notebook.db)
    print(f"searched by: {collection.explain('buy shoes')['path']}, recall {collection.check_recall():.2f}")
    notebook.finish(done)
    first = notebook.db.fetch_value("SELECT min(id) FROM notes WHERE body = ?", ["Water the tomatoes"])
    notebook.forget(first)


def run(db: DatabaseAdapter, chroma: Path | None) -> None:
    """The whole way, there and back."""
    notebook = Notebook(db)
    begin(notebook, chroma)
    before = notebook.find("buy shoes"), notebook.find("tomato seeds", project="garden")
    print("on SQLite:", *before)

    report = db.switch_database(DatabaseType.POSTGRESQL, carry_data=True, follow_back=True)
    print(f"moved to Postgres: {notebook.counts()}, verified: {report.verified}")
    assert (notebook.find("buy shoes"), notebook.find("tomato seeds", project="garden")) == before
    grow(notebook)
    there = notebook.counts(), notebook.find("buy shoes"), notebook.find("water", project="garden")

    report = db.switch_database(DatabaseType.SQLITE, carry_data=True)
    here = notebook.counts(), notebook.find("buy shoes"), notebook.find("water", project="garden")
    assert here == there, (here, there)
    print(f"rolled back to SQLite: {notebook.counts()}, verified: {report.verified}")
    print("what was written on Postgres is here:", notebook.find("day 3:", k=1))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    environ = os.environ.get
    parser.add_argument("--sqlite", default=environ("GROWTH_SQLITE"), help="the SQLite file")
    parser.add_argument(
        "--postgres", default=environ("GROWTH_POSTGRES"), help="the URL of a Postgres database"
    )
    parser.add_argument("--chroma", default=environ("GROWTH_CHROMA"), help="a Chroma directory to import")
    options = parser.parse_args(arguments)
    if not options.sqlite or not options.postgres:
        parser.error("say where the databases are: --sqlite and --postgres, or the environment")
    try:
        server = DatabaseConfig.from_url(options.postgres)
        config = attrs.evolve(
            server, db_type=DatabaseType.SQLITE, sqlite_path=options.sqlite, create_database=True
        )
        with DatabaseAdapter(config) as db:
            run(db, Path(options.chroma) if options.chroma else None)
    except DatabaseAdapterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
