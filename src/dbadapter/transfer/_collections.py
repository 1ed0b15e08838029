"""Vector collections in a transfer: they go along after the tables, record by record and bit for bit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..config import DatabaseConfig, DatabaseType
from ..errors import DatabaseAdapterError, TransferError
from ..vectors.copy import CollectionCopy, copy_collections, verify_collections
from ..vectors.executor import ConnectionExecutor, postgres_executor, sqlite_executor
from ._arguments import Progress
from ._endpoints import open_postgres, open_sqlite, postgres_source, sqlite_source
from ._faults import reporting
from .report import CollectionCheck

__all__ = ["check_collections", "copy_planned", "refuse_other_collections"]


def refuse_other_collections(source: DatabaseConfig, target: DatabaseConfig, names: Sequence[str]) -> None:
    """Raise `TransferError` if the target has collections of these names that are no earlier copies of them."""
    if target.db_type is DatabaseType.SQLITE and not os.path.exists(target.sqlite_path):
        return
    with _reading(source) as here, _reading(target) as there:
        ours = {collection.id for collection in here.vectors.list_collections()}
        others = [
            collection.name
            for collection in there.vectors.list_collections()
            if collection.name in names and collection.id not in ours
        ]
    if others:
        raise TransferError(
            f"the target has vector collections of its own called {', '.join(others)}: rename or delete them, take "
            "them out of the plan, or have them replaced with recreate"
        )


def copy_planned(
    source: DatabaseConfig,
    target: DatabaseConfig,
    names: Sequence[str],
    *,
    recreate: bool,
    progress: Progress | None,
) -> list[CollectionCopy]:
    """Copy collections, or bring earlier copies up to date.

    Args:
        source, target: the two ends.
        names: which ones.
        recreate: replace the target's collections of these names.
        progress: told of each collection.
    """

    def tell(figures: Mapping[str, Any]) -> None:
        if progress is not None:
            progress("copy", figures["collection"], figures["done"], -1)

    copies = []
    with _reading(source) as here, _writing(target) as there, reporting("the collections cannot be copied"):
        if recreate:
            for collection in there.vectors.list_collections():
                if collection.name in names:
                    there.vectors.delete_collection(collection.name)
        for name in names:
            copies += copy_collections(here, there, names=[name], progress=tell).collections
    return copies


def check_collections(
    source: DatabaseConfig, target: DatabaseConfig, names: Sequence[str]
) -> list[CollectionCheck]:
    """Compare collections bit for bit."""
    checks = []
    with _reading(source) as here, _reading(target) as there:
        for name in names:
            check = CollectionCheck(collection=name)
            try:
                check.records = verify_collections(here, there, names=[name])
            except DatabaseAdapterError as error:
                check.problem = str(error)
            checks.append(check)
    return checks


@contextmanager
def _reading(config: DatabaseConfig) -> Iterator[ConnectionExecutor]:
    if config.db_type is DatabaseType.SQLITE:
        with sqlite_source(config) as lite:
            yield sqlite_executor(lite, read_only=True)
    else:
        with postgres_source(config) as post:
            yield postgres_executor(post)


@contextmanager
def _writing(config: DatabaseConfig) -> Iterator[ConnectionExecutor]:
    if config.db_type is DatabaseType.SQLITE:
        with open_sqlite(config) as lite:
            yield sqlite_executor(lite)
    else:
        with open_postgres(config) as post:
            yield postgres_executor(post)
