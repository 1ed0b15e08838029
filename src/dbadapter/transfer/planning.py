"""`plan_transfer`: look at both ends and at every value, then say what will be done."""

from __future__ import annotations

import codecs
from collections.abc import Collection
from typing import Any

from .._core.arguments import check_flags, check_progress
from ..config import DatabaseConfig
from ..errors import ConfigError, TransferError
from ._arguments import Progress, names_of_tables
from ._collection_names import collection_names
from ._endpoints import direction, display, open_postgres, postgres_source, resolve, sqlite_readers
from ._faults import reporting
from ._plan_context import Target
from ._plan_sqlite import plan_from_sqlite
from ._postgres_catalog import (
    empty_tables,
    has_vectors,
    index_names,
    read_tables,
    system_relations,
    type_names,
)
from .plan import TransferPlan

__all__ = ["plan_transfer"]


def plan_transfer(
    source: Any,
    target: Any,
    *,
    tables: Collection[str] | None = None,
    profile: bool = True,
    encoding: str | None = None,
    progress: Progress | None = None,
) -> TransferPlan:
    """Plan to move all data from `source` to `target`, one of them SQLite and the other Postgres.

    Nothing is changed at either end; SQLite files are opened for reading only.

    Args:
        source: where from: an adapter, a `DatabaseConfig` or a URL.
        target: where to, likewise.
        tables: only these tables of the source.
        profile: read every value first, so that the plan fits the data; otherwise it goes by the declarations alone
            and values that do not fit are rejected.
        encoding: how text in SQLite that is not valid UTF-8 is to be read (``cp1252``, say); its bytes are kept. By
            default such values are rejected.
        progress: called as ``progress(phase, table, rows, total)``; the total is -1 where it is not known.

    Raises:
        ConfigError: the two ends are of the same kind, or a table is not there.
        DatabaseUnavailable: an end cannot be opened.
        TransferError: an end cannot be read.
    """
    names = names_of_tables(tables)
    check_flags(profile=profile)
    check_progress(progress, "phase, table, rows and total")
    source_config, target_config = resolve(source), resolve(target)
    found = direction(source_config, target_config)
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise ConfigError(f"encoding must be one that Python knows, not {encoding!r}") from None
    plan = TransferPlan(
        direction=found,
        source=display(source_config),
        target=display(target_config),
        profiled=profile,
        source_config=source_config,
        target_config=target_config,
    )
    if found == "sqlite-postgresql":
        with sqlite_readers(source_config) as readers:
            looked_at = _look_at_target(target_config)
            plan_from_sqlite(
                readers, looked_at, plan, tables=names, profile=profile, encoding=encoding, progress=progress
            )
            plan.collections = collection_names(readers[0]) if names is None else []
    else:
        from ._plan_postgres import plan_from_postgres

        with postgres_source(source_config) as raw, reporting("cannot read the source"):
            plan_from_postgres(raw, plan, tables=names, profile=profile, progress=progress)
            plan.collections = collection_names(raw) if names is None else []
    return plan


def _look_at_target(config: DatabaseConfig) -> Target:
    with open_postgres(config) as raw, reporting("cannot read the target"):
        row = raw.execute("SHOW server_encoding").fetchone()
        if row and row[0] != "UTF8":
            raise TransferError(
                f"the target database is encoded in {row[0]}, which cannot hold all text: create one with "
                "ENCODING 'UTF8' TEMPLATE template0"
            )
        tables = read_tables(raw)
        return Target(
            tables,
            empty_tables(raw, list(tables)),
            has_vectors(raw),
            type_names(raw),
            system_relations(raw),
            index_names(raw),
        )
