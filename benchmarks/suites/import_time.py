"""What an app pays at its start: a new Python that imports the library and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Contender, Suite

STATEMENTS = {
    "dbadapter": "from dbadapter import DatabaseAdapter, DatabaseConfig",
    "Python alone": "pass",
    "peewee": "import peewee",
    "psycopg": "import psycopg",
    "sqlite-utils": "import sqlite_utils",
    "SQLAlchemy": "import sqlalchemy",
}


def repeated(statement: str) -> Callable[[int], None]:
    """Start Python for one statement, `n` times."""

    def run(n: int) -> None:
        for _ in range(n):
            subprocess.run([sys.executable, "-c", statement], check=True)

    return run


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Each contender is imported in processes of its own; what the tests promise is that nothing heavy is loaded."""
    yield Suite(
        title="Import",
        unit="a new process that imports the library",
        contenders=[Contender(name, repeated(statement)) for name, statement in STATEMENTS.items()],
        one_core=True,
    )
