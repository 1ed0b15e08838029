"""create_tables and drop_tables: in dependency order, all or nothing, only what is missing or there."""

from __future__ import annotations

import threading

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import ConfigError, DatabaseAdapterError, ForeignKeyViolation, IntegrityError
from dbadapter.schema import Check, Column, ForeignKey, Index, Schema, Table
from dbadapter.schema import types as t


def _chain(*names: str) -> list[Table]:
    """Each table refers to the next one; the last to none."""
    tables = []
    for name, other in zip(names, [*names[1:], None], strict=True):
        reference = [Column("next", t.BigInteger(), references=other, on_delete="restrict")] if other else []
        tables.append(Table(name, Column("id", t.Identity()), *reference))
    return tables


def _circle(*names: str, on_delete: str = "cascade") -> Schema:
    """Each table refers to the next one, to itself, and the last to the first."""
    tables = []
    for name, other in zip(names, [*names[1:], names[0]], strict=True):
        tables.append(
            Table(
                name,
                Column("id", t.Identity()),
                Column("next", t.BigInteger(), references=other, on_delete=on_delete, deferrable=True),
                Column("self", t.BigInteger(), references=name, on_delete=on_delete),
            )
        )
    return Schema(tables)


def test_dependency_order() -> None:
    """Tables come after those they refer to; otherwise the order given is kept."""
    schema = Schema([*_chain("a", "b", "c"), Table("z", Column("x", t.Text()))])
    assert [table.name for table in schema.in_creation_order()] == ["c", "b", "a", "z"]
    long = Schema(_chain(*(f"t{number}" for number in range(3000))))
    assert [table.name for table in long.in_creation_order()][:2] == ["t2999", "t2998"]


def test_what_is_no_schema(sync_adapter: DatabaseAdapter) -> None:
    """It is refused as such, for making tables as for dropping them."""
    for use in (sync_adapter.create_tables, sync_adapter.drop_tables):
        for wrong in (None, [], "CREATE TABLE t (i INTEGER)"):
            with pytest.raises(ConfigError, match=r"schema must be a dbadapter\.schema\.Schema"):
                use(wrong)  # type: ignore[arg-type]


def test_only_what_is_missing(sync_adapter: DatabaseAdapter) -> None:
    """Tables that are there stay as they are, with their rows; creating again changes nothing."""
    schema = Schema(_chain("a", "b", "c"))
    sync_adapter.create_tables(Schema(_chain("b", "c")))
    sync_adapter.execute("INSERT INTO c (id) VALUES (1)")
    sync_adapter.execute("INSERT INTO b (id, next) VALUES (5, 1)")
    sync_adapter.create_tables(schema)
    sync_adapter.create_tables(schema)
    assert sync_adapter.list_tables() == ["a", "b", "c"]
    sync_adapter.execute("INSERT INTO a (next) VALUES (5)")
    with pytest.raises(ForeignKeyViolation):
        sync_adapter.execute("DELETE FROM b")
    assert schema.check(sync_adapter) == []


def test_a_table_that_differs_is_left_alone(sync_adapter: DatabaseAdapter) -> None:
    """create_tables does not change a table; check tells what differs."""
    sync_adapter.create_tables(Schema([Table("a", Column("x", t.Text()))]))
    wanted = Schema([Table("a", Column("x", t.Text()), Column("y", t.Text()))])
    sync_adapter.create_tables(wanted)
    assert [item.kind for item in wanted.check(sync_adapter)] == ["missing_column"]


def test_all_or_nothing(sync_adapter: DatabaseAdapter) -> None:
    """When one statement fails, no table was made."""
    schema = Schema(
        [
            Table("good", Column("id", t.Identity())),
            Table("bad", Column("x", t.Text()), checks=["nosuch(x) = 1"]),
        ]
    )
    with pytest.raises(DatabaseAdapterError):
        sync_adapter.create_tables(schema)
    assert sync_adapter.list_tables() == []


def test_dropping_what_is_there(sync_adapter: DatabaseAdapter) -> None:
    """Tables are dropped with their rows, dependents first; missing ones and other tables do not matter."""
    schema = Schema(_chain("a", "b", "c"))
    sync_adapter.create_tables(Schema([*_chain("b", "c"), Table("other", Column("x", t.Text()))]))
    sync_adapter.execute("INSERT INTO c (id) VALUES (1)")
    sync_adapter.execute("INSERT INTO b (next) VALUES (1)")
    sync_adapter.drop_tables(schema)
    assert sync_adapter.list_tables() == ["other"]
    sync_adapter.drop_tables(schema)
    sync_adapter.create_tables(schema)
    assert schema.check(sync_adapter) == []


@pytest.mark.parametrize("on_delete", ["cascade", "restrict", "no action"])
def test_circles(sync_adapter: DatabaseAdapter, on_delete: str) -> None:
    """Tables that refer to each other and to themselves are made, filled, checked and dropped full of rows."""
    schema = _circle("a", "b", "c", on_delete=on_delete)
    sync_adapter.create_tables(schema)
    assert schema.check(sync_adapter) == []
    with sync_adapter.transaction() as tx:
        for name in ("a", "b", "c"):
            tx.execute(f"INSERT INTO {name} (id, next, self) VALUES (1, 1, 1)")
    with pytest.raises(ForeignKeyViolation):
        sync_adapter.execute("INSERT INTO a (id, next) VALUES (2, 9)")
    sync_adapter.drop_tables(schema)
    assert sync_adapter.list_tables() == []
    # The connection that dropped them checks foreign keys as before.
    sync_adapter.create_tables(schema)
    with pytest.raises(ForeignKeyViolation):
        sync_adapter.execute("INSERT INTO a (id, self) VALUES (2, 9)")


@pytest.mark.parametrize("schema", [Schema(_chain("a", "b")), _circle("a", "b")], ids=["chain", "circle"])
def test_rows_of_others_are_not_orphaned(sync_adapter: DatabaseAdapter, schema: Schema) -> None:
    """Tables that rows of another table refer to are not dropped; nothing is."""
    outside = Schema([*schema, Table("outside", Column("ref", t.BigInteger(), references="b.id"))])
    sync_adapter.create_tables(outside)
    sync_adapter.execute("INSERT INTO b (id) VALUES (1)")
    sync_adapter.execute("INSERT INTO outside (ref) VALUES (1)")
    with pytest.raises(DatabaseAdapterError):
        sync_adapter.drop_tables(schema)
    assert sync_adapter.list_tables() == ["a", "b", "outside"]
    assert outside.check(sync_adapter) == []


def test_enumerations_are_shared_and_cleared_away(postgres_database: DatabaseConfig) -> None:
    """A named enumeration is made once, kept while a table uses it, and refused if it has other values."""
    one = Schema([Table("a", Column("x", t.Enum("p", "q", name="pq")))])
    two = Schema([Table("b", Column("x", t.Enum("p", "q", name="pq")))])
    with DatabaseAdapter(postgres_database) as adapter:
        adapter.create_tables(one)
        adapter.create_tables(two)
        adapter.drop_tables(one)
        assert two.check(adapter) == []
        with pytest.raises(ConfigError, match="pq"):
            adapter.create_tables(Schema([Table("c", Column("x", t.Enum("p", name="pq")))]))
        adapter.drop_tables(two)
        assert adapter.fetch_value("SELECT count(*) FROM pg_type WHERE typtype = 'e'") == 0


def test_several_at_once(sync_adapter: DatabaseAdapter) -> None:
    """Callers that make the same tables at the same moment all succeed."""
    schema = Schema([*_chain("a", "b"), Table("e", Column("x", t.Enum("p")), Column("v", t.Vector(2)))])
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def make() -> None:
        try:
            start.wait()
            sync_adapter.create_tables(schema)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert schema.check(sync_adapter) == []


def test_made_on_initialize(config: DatabaseConfig) -> None:
    """With DB_SYNCHRONIZE the adapter makes its schema's missing tables when it is opened."""
    schema = Schema(_chain("a", "b"))
    for synchronize, tables in [(False, []), (True, ["a", "b"]), (True, ["a", "b"])]:
        with DatabaseAdapter(attrs.evolve(config, synchronize=synchronize), schema=schema) as adapter:
            assert adapter.list_tables() == tables


def test_vectors_bring_their_extension(postgres_database: DatabaseConfig) -> None:
    """pgvector is asked for where a column needs it, and vectors can be used at once."""
    schema = Schema([Table("v", Column("x", t.Vector(2)))])
    with DatabaseAdapter(postgres_database) as adapter:
        adapter.execute("DROP EXTENSION IF EXISTS vector")
        adapter.create_tables(schema)
        adapter.execute("INSERT INTO v (x) VALUES ('[1,2]')")
        assert adapter.fetch_value("SELECT count(*) FROM v") == 1


def test_a_check_without_words_for_it(sqlite_database: DatabaseConfig) -> None:
    """A check SQLite cannot say stops create_tables; it can be said for SQLite, or be left out knowingly."""
    check = "email ~* '^x(y|z)$'"
    with DatabaseAdapter(sqlite_database) as adapter:
        plain = Schema(
            [Table("p", Column("email", t.Text()), checks=[check], indexes=[Index("email ~* 'x'")])]
        )
        with pytest.raises(ConfigError, match=r"table 'p'.*p_email_check.*SQLite has no words"):
            adapter.create_tables(plain)
        fitting = plain.adapted("sqlite")
        assert [item.what for item in fitting.skipped] == ["table p", "table p"]
        adapter.create_tables(fitting)
        own = Schema(
            [Table("o", Column("email", t.Text()), checks=[Check(check, sqlite="lower(email) LIKE 'x_'")])]
        )
        adapter.create_tables(own)
        with pytest.raises(IntegrityError):
            adapter.execute("INSERT INTO o (email) VALUES ('abc')")
        none = Schema([Table("n", Column("email", t.Text()), checks=[Check(check, sqlite="")])])
        adapter.create_tables(none)
        assert adapter.execute("INSERT INTO n (email) VALUES ('abc')").rowcount == 1
        for schema in (fitting, own, none):
            assert schema.check(adapter) == []


def test_composite_keys(sync_adapter: DatabaseAdapter) -> None:
    """Keys of several columns refer and cascade, in the order of their columns."""
    schema = Schema(
        [
            Table("p", Column("a", t.Integer()), Column("b", t.Text()), primary_key=["b", "a"]),
            Table(
                "k",
                Column("x", t.Integer()),
                Column("y", t.Text()),
                foreign_keys=[
                    ForeignKey(["x", "y"], "p", ["a", "b"], on_delete="cascade", on_update="cascade")
                ],
            ),
        ]
    )
    sync_adapter.create_tables(schema)
    assert schema.check(sync_adapter) == []
    sync_adapter.execute("INSERT INTO p (a, b) VALUES (1, 'one')")
    sync_adapter.execute("INSERT INTO k (x, y) VALUES (1, 'one')")
    with pytest.raises(ForeignKeyViolation):
        sync_adapter.execute("INSERT INTO k (x, y) VALUES (1, 'two')")
    sync_adapter.execute("UPDATE p SET a = 2")
    assert sync_adapter.fetch_value("SELECT x FROM k") == 2
    sync_adapter.execute("DELETE FROM p")
    assert sync_adapter.fetch_value("SELECT count(*) FROM k") == 0
