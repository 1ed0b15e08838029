"""What the steps of planning a move from SQLite to Postgres share."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import define, field

from ._arguments import Progress
from ._names import Namer
from ._postgres_catalog import PostgresTable
from ._sqlite_catalog import Catalog
from .plan import Dropped, TablePlan, TransferPlan

__all__ = ["PlanContext", "Target"]


@define
class Target:
    """What has to be known of the Postgres database.

    Attributes:
        tables: its tables by name.
        empty: those without rows.
        vectors: whether pgvector is there or can be had.
        types: the names of its types.
        system: the names of its own relations, which a name without a schema means before any of the user's.
        indexes: its indexes, each with its table.
    """

    tables: dict[str, PostgresTable] = field(factory=dict)
    empty: set[str] = field(factory=set)
    vectors: bool = True
    types: set[str] = field(factory=set)
    system: set[str] = field(factory=set)
    indexes: dict[str, str] = field(factory=dict)


@define
class PlanContext:
    """What the steps of planning share.

    Attributes:
        readers: the source, seen at one moment, a connection for each thread.
        target: what is known of the target.
        catalog: what the source consists of.
        plan: the plan that is being filled.
        names: by the name of each table in the source, its name in the target.
        utf16: see `read_batches`.
        encoding: how text that is not valid UTF-8 is to be read.
        progress: see `plan_transfer`.
        relations: gives the names of tables, indexes and keys in the target, each once.
        recorded: the tables that came from Postgres, as the plan had them that brought them.
    """

    readers: Sequence[sqlite3.Connection]
    target: Target
    catalog: Catalog
    plan: TransferPlan
    names: dict[str, str] = field(factory=dict)
    utf16: str | None = None
    encoding: str | None = None
    progress: Progress | None = None
    relations: Namer = field(factory=Namer)
    recorded: dict[str, TablePlan] = field(factory=dict)

    @property
    def raw(self) -> sqlite3.Connection:
        """The connection for questions."""
        return self.readers[0]

    def relation(self, wanted: str) -> str:
        """A name for an index or key that no table or index has."""
        return self.relations.name(wanted)

    def drop(self, kind: str, name: str, reason: str, table: str = "", sql: str = "") -> None:
        """List something of the source that the target will not have."""
        self.plan.dropped.append(Dropped(kind=kind, name=name, reason=reason, table=table, sql=sql))
