"""Random schemas: odd names, every type, and what constraints and expressions both backends share."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from dbadapter.schema import Check, Column, ForeignKey, Index, Schema, Table, Unique
from dbadapter.schema import types as t

NAMES = st.one_of(
    st.text(string.ascii_lowercase, min_size=1, max_size=8),
    st.sampled_from(
        [
            "order",
            "select",
            "Group",
            "two words",
            'quo"te',
            "ß",
            "größe",
            "a.b",
            "x'y",
            "1st",
            "naïve_",
            "in",
            "check",
        ]
    ),
)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
VALUES = st.lists(TEXT.filter(bool), min_size=1, max_size=4, unique=True)
SCALARS = st.one_of(
    st.sampled_from(
        [
            t.SmallInteger(),
            t.Integer(),
            t.BigInteger(),
            t.Boolean(),
            t.Float(),
            t.Decimal(),
            t.Decimal(10, 2),
            t.Decimal(30, 10),
            t.Text(),
            t.Varchar(20),
            t.Bytes(),
            t.Date(),
            t.Time(),
            t.Timestamp(),
            t.Timestamp(tz=True),
            t.Interval(),
            t.Uuid(),
        ]
    )
)
ENUMS = VALUES.map(lambda values: t.Enum(*values))
TYPES = st.one_of(
    SCALARS,
    SCALARS.map(t.Array),
    ENUMS,
    st.just(t.Json()),
    st.integers(1, 8).map(t.Vector),
)
MOMENTS = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1))
JSON = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**53), 2**53), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=5,
)


def values_of(kind: t.Type) -> st.SearchStrategy[Any]:
    """Values that a column of the type holds."""
    plain: dict[type[t.Type], st.SearchStrategy[Any]] = {
        t.SmallInteger: st.integers(-(2**15), 2**15 - 1),
        t.Integer: st.integers(-(2**31), 2**31 - 1),
        t.BigInteger: st.integers(-(2**63), 2**63 - 1),
        t.Boolean: st.booleans(),
        t.Float: st.floats(allow_nan=False),
        t.Text: TEXT,
        t.Varchar: TEXT,
        t.Bytes: st.binary(max_size=8),
        t.Date: st.dates(min_value=date(1, 1, 1)),
        t.Time: st.times(),
        t.Timestamp: MOMENTS.map(lambda found: found.replace(tzinfo=UTC)),
        t.Interval: st.timedeltas(min_value=timedelta(days=-9999), max_value=timedelta(days=9999)),
        t.Uuid: st.uuids(),
        t.Json: st.one_of(st.lists(JSON, max_size=3), st.dictionaries(TEXT, JSON, max_size=3)),
    }
    if isinstance(kind, t.Timestamp) and not kind.tz:
        return MOMENTS
    if isinstance(kind, t.Enum):
        return st.sampled_from(kind.values)
    if isinstance(kind, t.Array):
        return st.lists(values_of(kind.of), max_size=3)
    if isinstance(kind, t.Vector):
        numbers = st.floats(-100, 100, width=32)
        return st.lists(numbers, min_size=kind.dimension, max_size=kind.dimension)
    if isinstance(kind, t.Decimal):
        whole = (kind.precision or 30) - (kind.scale or 0)
        return st.decimals(
            min_value=Decimal(-(10 ** min(whole, 15))) + 1,
            max_value=Decimal(10 ** min(whole, 15)) - 1,
            places=2,
        )
    return plain[type(kind)]


def _defaults(kind: t.Type) -> st.SearchStrategy[Any]:
    choices: list[st.SearchStrategy[Any]] = [st.none(), values_of(kind)]
    if isinstance(kind, (t.Timestamp, t.Date, t.Time)):
        choices.append(st.just(t.now()))
    if isinstance(kind, t.Uuid):
        choices.append(st.just(t.random_uuid()))
    if isinstance(kind, t.Text):
        choices.append(st.sampled_from([t.sql("upper('x')"), t.sql("'a' || 'b'")]))
    return st.one_of(choices)


@st.composite
def _columns(draw: st.DrawFn) -> list[Column]:
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique_by=str.lower))
    found = []
    for name in names:
        kind = draw(TYPES)
        found.append(
            Column(
                name,
                kind,
                nullable=draw(st.booleans()),
                default=draw(_defaults(kind)),
                comment=draw(st.one_of(st.none(), TEXT.filter(lambda text: text == text.strip() != ""))),
            )
        )
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _checks(columns: list[Column]) -> list[str]:
    """Conditions over the columns, in several spellings."""
    found = []
    for column in columns:
        name = _quoted(column.name)
        if isinstance(column.type, (t.Integer, t.BigInteger, t.Decimal)):
            found += [f"{name} > -5", f"{name} BETWEEN -7 AND 100", f"NOT ({name} = 3 OR {name} IS NULL)"]
        elif isinstance(column.type, (t.Text, t.Varchar)):
            found += [
                f"length({name}) > 1",
                f"{name} IN ('a', 'b''c')",
                f"{name} LIKE 'A%' OR {name} NOT LIKE '%z_'",
                f"lower({name}) <> 'x' AND {name} <> ''",
                f"{name} ~ '^[a-z]+$'",
            ]
        elif isinstance(column.type, t.Boolean):
            found += [f"{name} OR {name} IS NULL", f"{name} = true"]
        elif isinstance(column.type, t.Json):
            found.append(f"jsonb_typeof({name}) = 'object'")
    return found


@st.composite
def _tables(draw: st.DrawFn, name: str, others: list[str]) -> Table:
    columns = draw(_columns())
    generated = []
    numbers = [column for column in columns if isinstance(column.type, t.Integer)]
    taken = {column.name.lower() for column in columns}
    if numbers and "doubled" not in taken and draw(st.booleans()):
        generated = [Column("doubled", t.BigInteger(), generated=f"{_quoted(numbers[0].name)} * 2 + 1")]
    key: list[Column] = []
    plain = [column for column in columns if isinstance(column.type, (t.Integer, t.Text, t.Uuid, t.Varchar))]
    primary_key: tuple[str, ...] = ()
    if others or draw(st.booleans()):
        key = [Column("id", t.Identity())] if "id" not in taken else []
    elif plain:
        primary_key = tuple(column.name for column in plain[:2])
    references = []
    foreign_keys = []
    for other in others if key else []:
        column = f"{other.lower()[:20]}_ref"
        if column not in taken and column not in [found.name for found in references]:
            references.append(Column(column, t.BigInteger()))
            foreign_keys.append(
                ForeignKey(
                    (column,),
                    other,
                    on_delete=draw(st.sampled_from(["cascade", "restrict", "set null", "no action"])),
                    on_update=draw(st.sampled_from(["cascade", "no action"])),
                    deferrable=draw(st.sampled_from([False, True, "immediate"])),
                )
            )
    everything = [*key, *columns, *references, *generated]
    indexed = [
        column.name for column in columns if isinstance(column.type, (t.Integer, t.Text, t.Date, t.Boolean))
    ]
    indexes = []
    if indexed:
        direction = draw(st.sampled_from(["", " DESC"]))
        where = draw(st.sampled_from([None, f"{_quoted(indexed[0])} IS NOT NULL"]))
        indexes.append(Index(_quoted(indexed[0]) + direction, where=where, unique=draw(st.booleans())))
    texts = [column.name for column in columns if isinstance(column.type, t.Text)]
    if texts and draw(st.booleans()):
        indexes.append(Index(f"lower({_quoted(texts[0])})"))
    possible = _checks(columns)
    return Table(
        name,
        *everything,
        primary_key=primary_key,
        unique=[Unique(tuple(indexed[-2:]))] if indexed and draw(st.booleans()) else (),
        checks=[Check(text) for text in draw(st.lists(st.sampled_from(possible), max_size=3))]
        if possible
        else (),
        foreign_keys=foreign_keys,
        indexes=indexes,
        comment=draw(st.one_of(st.none(), st.just("it's a -- /* comment */"))),
    )


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Up to three tables that refer to each other, in cycles too."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique_by=str.lower))
    linked = draw(st.booleans()) if len(names) > 1 else False
    tables = []
    for name in names:
        others = draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if linked else []
        tables.append(draw(_tables(name, others or ([names[0]] if linked else []))))
    keyed = {table.name for table in tables if table.primary_key == ("id",)}
    fitting = [
        table.replace(foreign_keys=[key for key in table.foreign_keys if key.table in keyed])
        for table in tables
    ]
    return Schema(fitting)


def without_enum_arrays(kind: t.Type) -> bool:
    """Whether the type comes back from SQLite as it went there."""
    return not (isinstance(kind, t.Array) and isinstance(kind.of, t.Enum))


__all__ = ["NAMES", "SCALARS", "TYPES", "schemas", "time", "values_of"]
