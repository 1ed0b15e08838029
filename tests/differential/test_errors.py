"""Any failure is the same on both, down to the constraint; any transaction ends alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbadapter.errors import DatabaseAdapterError, IntegrityError
from tests.differential.conftest import Pair, exact, outcome

TABLES = {
    "parents": (
        "CREATE TABLE parents (id BIGINT PRIMARY KEY, code TEXT NOT NULL UNIQUE,"
        " size BIGINT CHECK (size > 0), a BIGINT, b TEXT, CONSTRAINT ab UNIQUE (a, b),"
        " CONSTRAINT sane CHECK (a IS NULL OR a < size))"
    ),
    "children": (
        "CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT NOT NULL REFERENCES parents (id),"
        " note TEXT, UNIQUE (parent, note))"
    ),
}
small = st.integers(0, 3)
codes = st.sampled_from(["x", "y", "z"])
parents = st.fixed_dictionaries(
    {
        "id": small,
        "code": st.none() | codes,
        "size": st.none() | st.integers(-1, 3),
        "a": st.none() | small,
        "b": codes,
    }
)
children = st.fixed_dictionaries({"id": small, "parent": st.none() | small, "note": st.none() | codes})

operations = st.one_of(
    st.tuples(st.just("insert"), st.just("parents"), parents),
    st.tuples(st.just("insert"), st.just("children"), children),
    st.tuples(st.just("many"), st.just("parents"), st.lists(parents, max_size=3)),
    st.tuples(st.just("many"), st.just("children"), st.lists(children, max_size=3)),
    st.tuples(st.just("ignore"), st.just("parents"), st.lists(parents, max_size=3)),
    st.tuples(st.just("update"), st.just("parents"), st.tuples(small, parents)),
    st.tuples(st.just("update"), st.just("children"), st.tuples(small, children)),
    st.tuples(st.just("delete"), st.sampled_from(["parents", "children"]), small),
    st.tuples(st.just("wrong"), st.sampled_from(["parents", "nowhere"]), st.sampled_from(["code", "nope"])),
)


@pytest.fixture
def tables(pair: Pair) -> Pair:
    """Both with a parent and a child table full of constraints."""
    for adapter in pair:
        for text in TABLES.values():
            adapter.execute(text)
    return pair


def do(db: Any, kind: str, table: str, what: Any) -> Any:
    """One operation on an adapter or a transaction."""
    if kind == "insert":
        columns = list(what)
        text = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(':' + c for c in columns)})"
        return db.execute(text, what).rowcount
    if kind == "many":
        return db.insert_many(table, what)
    if kind == "ignore":
        return db.insert_many(table, what, on_conflict="ignore")
    if kind == "update":
        key, row = what
        text = f"UPDATE {table} SET {', '.join(f'{c} = :{c}' for c in row)} WHERE id = :key"
        return db.execute(text, {**row, "key": key}).rowcount
    if kind == "delete":
        return db.execute(f"DELETE FROM {table} WHERE id = ?", (what,)).rowcount
    return db.fetch_all(f"SELECT {what} FROM {table} ORDER BY 1")


def contents(adapter: Any) -> Any:
    """Everything in both tables."""
    return exact([adapter.fetch_all(f"SELECT * FROM {table} ORDER BY id") for table in TABLES])


def several(told: tuple[Any, ...]) -> tuple[Any, ...]:
    """An outcome without what depends on the order in which constraints are looked at."""
    return told[:4] if told[0] == "raised" else told


@given(st.lists(operations, max_size=8))
def test_operations_agree(tables: Pair, todo: list[tuple[Any, ...]]) -> None:
    """Each operation alone: the same result or error, and the same tables afterwards."""
    for adapter in tables:
        for table in reversed(TABLES):
            adapter.execute(f"DELETE FROM {table}")
    for operation in todo:
        lite, post = (outcome(do, adapter, *operation) for adapter in tables)
        assert lite[0] == post[0], operation
        assert violates_one(operation, lite, post)
        assert contents(tables[0]) == contents(tables[1])


def violates_one(operation: tuple[Any, ...], lite: tuple[Any, ...], post: tuple[Any, ...]) -> bool:
    """A row may violate several constraints; each backend names the first it looked at."""
    integrity = {kind.__name__ for kind in IntegrityError.__subclasses__()}
    if lite != post and lite[0] == "raised" and {lite[1], post[1]} <= integrity:
        return operation[0] != "delete"
    return lite == post


nested = st.recursive(
    operations,
    lambda inner: st.tuples(st.just("nest"), st.booleans(), st.lists(inner, max_size=4)),
    max_leaves=8,
)


class Stop(Exception):
    """Leaves a transaction on purpose."""


def perform(tx: Any, todo: list[Any], log: list[Any]) -> None:
    """Run operations in a transaction, nested ones in savepoints; errors inside a savepoint end it."""
    for step in todo:
        if step[0] == "nest":
            try:
                with tx.transaction() as inner:
                    perform(inner, step[2], log)
                    if step[1]:
                        raise Stop
            except Stop:
                log.append("stopped")
            except DatabaseAdapterError as error:
                log.append(isinstance(error, IntegrityError) or type(error).__name__)
        else:
            log.append(do(tx, *step))


@given(st.lists(nested, max_size=5), st.booleans())
def test_transactions_agree(tables: Pair, todo: list[Any], stop: bool) -> None:
    """Programs of nested transactions, failures included, leave the same tables and tell the same story."""
    stories = []
    for adapter in tables:
        log: list[Any] = []
        for table in reversed(TABLES):
            adapter.execute(f"DELETE FROM {table}")
        try:
            with adapter.transaction() as tx:
                perform(tx, todo, log)
                if stop:
                    raise Stop
        except Stop:
            log.append("stopped")
        except DatabaseAdapterError as error:
            log.append(isinstance(error, IntegrityError) or type(error).__name__)
        stories.append((exact(log), contents(adapter)))
    assert stories[0] == stories[1]
