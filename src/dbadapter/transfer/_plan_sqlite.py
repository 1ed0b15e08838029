"""The plan for moving an SQLite database to Postgres."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Sequence

from attrs import define, field

from .._dialects import SQLITE, constraint_name
from ..errors import ConfigError
from ..schema.scan import scan
from . import conversions as c
from ._arguments import Progress
from ._bookkeeping import recorded_in_sqlite
from ._candidates import candidates
from ._choose import Choice, Circumstances, choose, proposals
from ._expressions import is_datatype_check, postgres_default, postgres_generated
from ._names import Namer
from ._plan_keys import plan_foreign_keys, plan_indexes_and_checks, referring_columns
from ._postgres_catalog import PostgresTable
from ._profile import ColumnProfile, TableProfile, profile_table, try_on_all
from ._read import utf16_codec
from ._sqlite_catalog import Catalog, SQLiteColumn, SQLiteTable, read_catalog
from ._types import canonical, family
from .plan import ColumnPlan, Dropped, TablePlan, TransferPlan

__all__ = ["Target", "plan_from_sqlite"]

_MOST_COLUMNS = 1600


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
class _Planning:
    """What the steps of planning share."""

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
        self.plan.dropped.append(Dropped(kind=kind, name=name, reason=reason, table=table, sql=sql))


def plan_from_sqlite(
    readers: Sequence[sqlite3.Connection],
    target: Target,
    plan: TransferPlan,
    *,
    tables: Collection[str] | None,
    profile: bool,
    encoding: str | None,
    progress: Progress | None,
) -> None:
    """Fill the plan; the readers see the source at one moment.

    Raises `ConfigError` where `tables` names one that is not there.
    """
    raw = readers[0]
    catalog = read_catalog(raw)
    recorded = {name: table for name, (state, table) in recorded_in_sqlite(raw).items() if state == "done"}
    planning = _Planning(
        readers, target, catalog, plan, encoding=encoding, progress=progress, recorded=recorded
    )
    database_encoding = raw.execute("PRAGMA encoding").fetchone()[0]
    planning.utf16 = utf16_codec(database_encoding)
    plan.facts = {
        "encoding": database_encoding,
        "user_version": raw.execute("PRAGMA user_version").fetchone()[0],
        "application_id": raw.execute("PRAGMA application_id").fetchone()[0],
        "journal_mode": raw.execute("PRAGMA journal_mode").fetchone()[0],
    }
    chosen = _chosen(catalog.tables, tables)
    planning.relations.take(target.system)
    for table in catalog.tables:
        planning.names[table.name] = planning.relation(table.name)
    replaced = set(planning.names.values())  # their indexes make room if the tables do
    planning.relations.take(name for name, owner in target.indexes.items() if owner not in replaced)
    for table in chosen:
        planning.relation(constraint_name(planning.names[table.name], (), "pkey"))
    for other in catalog.others:
        if tables is None or other.table in tables:
            planning.drop(other.kind, other.name, other.reason, other.table, other.sql)
    referring = referring_columns(chosen, catalog)
    for table in chosen:
        if planned := _plan_table(planning, table, referring, profile=profile):
            plan.tables.append(planned)
    readable = {table.name for table in plan.tables}
    for table in chosen:
        if table.name in readable:
            plan_foreign_keys(planning, table, profile=profile)
    plan.tables = _parents_first(plan.tables)


def _chosen(found: list[SQLiteTable], wanted: Collection[str] | None) -> list[SQLiteTable]:
    if wanted is None:
        return found
    by_name = {table.name.lower(): table for table in found}
    missing = [name for name in wanted if name.lower() not in by_name]
    if missing:
        raise ConfigError(f"there is no table {missing[0]!r}; there are {', '.join(t.name for t in found)}")
    names = {name.lower() for name in wanted}
    return [table for table in found if table.name.lower() in names]


def _readable(planning: _Planning, table: SQLiteTable) -> list[SQLiteColumn]:
    """The table's columns without those that cannot be computed (a function of the app's own)."""
    kept = []
    for column in table.columns:
        try:
            planning.raw.execute(
                f"SELECT {SQLITE.quote(column.name)} FROM {SQLITE.quote(table.name)} LIMIT 0"
            )
        except sqlite3.OperationalError as error:
            planning.drop("column", column.name, f"it cannot be read: {error}", table.name)
        else:
            kept.append(column)
    return kept


def _plan_table(
    planning: _Planning, table: SQLiteTable, referring: set[tuple[str, str]], *, profile: bool
) -> TablePlan | None:
    table.columns = _readable(planning, table)
    if not table.columns or len(table.columns) > _MOST_COLUMNS:
        reason = f"Postgres tables have 1 to {_MOST_COLUMNS} columns, this has {len(table.columns)}"
        planning.drop("table", table.name, reason, table.name, table.sql)
        return None
    checked = {
        column.name
        for column in table.columns
        for name, _ in table.checks
        if is_datatype_check(name, table.name, column.name)
    }
    if profile:
        report = planning.progress
        found = profile_table(
            planning.readers,
            table,
            checked=checked,
            utf16=planning.utf16,
            encoding=planning.encoding,
            progress=(lambda rows: report("profile", table.name, rows, -1)) if report else None,
        )
    else:
        found = TableProfile(rows=-1, row_bytes=-1)
        for column in table.columns:
            tried = candidates(column.declared, checked=column.name in checked, encoding=planning.encoding)
            found.columns[column.name] = ColumnProfile(tried=tried)
    choices = _choices(planning, table, found, referring)
    planned = TablePlan(
        name=table.name,
        target=planning.names[table.name],
        columns=[],
        rows=found.rows,
        row_bytes=found.row_bytes,
        rowid=table.rowid_name,
        create_sql=table.sql,
    )
    namer = Namer(columns=True)
    for column in table.columns:
        planned.columns.append(_column(planning, table, column, found, choices[column.name], namer))
    _defaults_and_generated(planning, table, planned)
    _keys(planning, table, planned, found)
    _enumerations(planning, table, planned, checked)
    plan_indexes_and_checks(planning, table, planned, checked)
    planned.after_sql = [index.sql for index in table.indexes if index.sql]
    _existing(planning, planned)
    return planned


def _choices(
    planning: _Planning, table: SQLiteTable, found: TableProfile, referring: set[tuple[str, str]]
) -> dict[str, Choice]:
    linked = set(table.primary_key)
    for index in table.indexes:
        linked |= {name for name, _, _ in index.parts if index.unique and name is not None}
    for key in table.foreign_keys:
        linked |= set(key.columns)
    existing = planning.target.tables.get(planning.names[table.name])
    forced = {column.name: column.type for column in existing.columns} if existing else {}
    around = {
        column.name: Circumstances(
            linked=column.name in linked,
            keyless=table.rowid_alias is None
            and (not table.primary_key or any(found.columns[n].classes["null"] for n in table.primary_key)),
            refers_to_integer=(table.name, column.name) in referring,
            vectors=planning.target.vectors,
            forced=forced.get(column.name) if planning.names[table.name] in planning.target.empty else None,
            before=_before(planning, table.name, column.name),
        )
        for column in table.columns
    }
    tried = {
        column.name: proposals(column, found.columns[column.name], around[column.name])
        for column in table.columns
    }
    if found.rows > 0:
        guesses = {name: [tally for tally in tallies if tally.guess] for name, tallies in tried.items()}
        guesses = {name: tallies for name, tallies in guesses.items() if tallies}
        if guesses:
            try_on_all(planning.raw, table, guesses, utf16=planning.utf16)
    return {
        column.name: choose(column, found.columns[column.name], tried[column.name], around[column.name])
        for column in table.columns
    }


def _before(planning: _Planning, table: str, column: str) -> tuple[str, c.Conversion] | None:
    """The type that the column had in Postgres, where it came from there and the target has such a type."""
    recorded = planning.recorded.get(table)
    found = next((col for col in recorded.columns if col.target == column), None) if recorded else None
    if found is None or _bare(found.declared) not in planning.target.types:
        return None
    return found.declared, c.load(found.conversion)


def _bare(pg_type: str) -> str:
    """A type's name without its arguments."""
    return re.sub(r"\([^)]*\)", "", pg_type)


def _column(
    planning: _Planning,
    table: SQLiteTable,
    column: SQLiteColumn,
    found: TableProfile,
    choice: Choice,
    namer: Namer,
) -> ColumnPlan:
    profile = found.columns[column.name]
    alias = column.name == table.rowid_alias
    nullable = not (column.not_null or alias)
    if profile.classes["null"] and not nullable:
        nullable = True
        reason = f"it is NOT NULL, but {profile.classes['null']} rows have NULL"
        planning.drop("not null", column.name, reason, table.name)
    planned = ColumnPlan(
        name=column.name,
        target=namer.name(column.name),
        declared=column.declared,
        type=choice.type,
        conversion=c.dump(choice.conversion),
        nullable=nullable,
        identity=alias,
        collation=column.collation,
        reason=choice.reason,
        at_risk=choice.at_risk,
        kept=choice.kept,
        values={name: count for name, count in sorted(profile.classes.items()) if count},
    )
    if column.collation != "BINARY":
        reason = f"text compares by the collation {column.collation} in SQLite, byte by byte in Postgres"
        planning.drop("collation", column.name, reason, table.name)
    return planned


def _defaults_and_generated(planning: _Planning, table: SQLiteTable, planned: TablePlan) -> None:
    columns = {column.name.lower(): column for column in planned.columns}
    for column, plan in zip(table.columns, planned.columns, strict=True):
        if column.default is not None and not plan.identity:
            try:
                plan.default = postgres_default(column.default, plan)
            except ConfigError as error:
                planning.drop("default", column.name, str(error), table.name, column.default)
        if column.generated is not None:
            try:
                plan.generated = postgres_generated(column.generated, columns)
            except ConfigError as error:
                reason = f"{error}; its values are copied as they stand"
                planning.drop("generated column", column.name, reason, table.name, column.generated)


def _keys(planning: _Planning, table: SQLiteTable, planned: TablePlan, found: TableProfile) -> None:
    nulls = [name for name in table.primary_key if found.columns[name].classes["null"]]
    alias = table.rowid_alias
    by_name = {column.name: column for column in planned.columns}
    if alias is not None:
        planned.key = [alias]
        planned.next_identity = _next_identity(planning.raw, table)
    elif table.primary_key and not nulls:
        planned.key = list(table.primary_key)
    if nulls and alias is None:
        reason = f"{', '.join(nulls)} has NULL in it, which a primary key in Postgres cannot; it is a UNIQUE constraint"
        planning.drop("primary key", table.name, reason, table.name)
        planned.notes.append("the primary key has NULLs in SQLite: a UNIQUE constraint stands for it")
    planned.primary_key = [by_name[name].target for name in table.primary_key] if not nulls or alias else []
    for name in planned.key:
        by_name[name].nullable = False


def _next_identity(raw: sqlite3.Connection, table: SQLiteTable) -> int:
    """One more than any number given out so far."""
    name, quoted = SQLITE.quote(table.rowid_alias or ""), SQLITE.quote(table.name)
    row = raw.execute(f"SELECT max({name}) FROM {quoted}").fetchone()
    highest = row[0] or 0
    if table.autoincrement:
        row = raw.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
        if row and isinstance(row[0], int):
            highest = max(highest, row[0])
    return max(highest, 0) + 1


def _enumerations(
    planning: _Planning, table: SQLiteTable, planned: TablePlan, checked: Collection[str]
) -> None:
    """Columns that the adapter's own DDL makes an enumeration by a check are one in Postgres."""
    for column in planned.columns:
        if column.name not in checked or family(column.declared) != "text" or column.at_risk:
            continue
        expression = next(
            text for name, text in table.checks if is_datatype_check(name, table.name, column.name)
        )
        values = _alternatives(expression, column.name)
        if not values:
            continue
        name = constraint_name(planned.target, (column.target,), "enum")
        planning.plan.enums[name] = values
        column.type = f'"{name}"'
        column.reason += "; an enumeration by its check"


def _alternatives(expression: str, column: str) -> list[str]:
    """The texts of a check that a column is one of several, however it says so; none if it is another check."""
    values = []
    for token in scan(expression):
        if token.kind == "string":
            values.append(token.text)
        elif not (token.text == column or token.is_word("OR", "IN") or token.text in ("=", "(", ")", ",")):
            return []
    return values


def _existing(planning: _Planning, planned: TablePlan) -> None:
    """Whether the target has the table already, empty and with the same columns."""
    found = planning.target.tables.get(planned.target)
    if found is None or planned.target not in planning.target.empty:
        return
    mine = {column.target: canonical(column.type) for column in planned.columns}
    theirs = {column.name: canonical(column.type) for column in found.columns}
    planned.existing = mine == theirs


def _parents_first(tables: Sequence[TablePlan]) -> list[TablePlan]:
    """The tables so that each stands after those it refers to, cycles aside."""
    by_target = {table.target: table for table in tables}
    ordered: dict[str, TablePlan] = {}

    def place(table: TablePlan, above: tuple[str, ...]) -> None:
        if table.target in ordered or table.target in above:
            return
        for key in table.foreign_keys:
            if key.ref_table in by_target:
                place(by_target[key.ref_table], (*above, table.target))
        ordered.setdefault(table.target, table)

    for table in tables:
        place(table, ())
    return list(ordered.values())
