"""The plan is reviewed and edited as JSON, and says beforehand what will happen."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import ConfigError, TransferError
from dbadapter.transfer import TransferPlan, plan_transfer, run_transfer

from .conftest import Maker
from .moving import asked, connect, move


def test_a_plan_is_read_back_as_it_was(
    lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path
) -> None:
    """Saved and loaded a plan is the same, and is carried out the same."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE, at DATETIME DEFAULT CURRENT_TIMESTAMP,"
        " CHECK (v <> '')); INSERT INTO t VALUES (1, 'x', '2024-01-31 00:00:00')"
    )
    plan = plan_transfer(source, postgres_database)
    plan.save(tmp_path / "plan.json")
    loaded = TransferPlan.load(tmp_path / "plan.json", target=postgres_database)
    assert loaded == plan
    assert run_transfer(loaded).ok


def test_a_plan_holds_no_password(lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """Neither the file nor the representation of a plan shows a secret."""
    secret = postgres_database.pool.current_password()
    assert secret
    plan = plan_transfer(lite("CREATE TABLE t (x)"), postgres_database)
    plan.save(tmp_path / "plan.json")
    assert secret not in (tmp_path / "plan.json").read_text()
    assert secret not in repr(plan)
    assert secret not in repr(run_transfer(plan))


def test_an_edited_type_is_kept_to(lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """With only the type edited, the conversion follows; values that do not fit go to the rejects."""
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, qty INTEGER)", {"t": [(1, 5), (2, "lots")]})
    plan = plan_transfer(source, postgres_database)
    assert plan.table("t").column("qty").type == "text"
    plan.save(tmp_path / "plan.json")
    edited = json.loads((tmp_path / "plan.json").read_text())
    edited["tables"][0]["columns"][1]["type"] = "integer"
    (tmp_path / "plan.json").write_text(json.dumps(edited))
    report = run_transfer(TransferPlan.load(tmp_path / "plan.json", target=postgres_database))
    assert asked(postgres_database, "SELECT qty FROM t ORDER BY id") == [5, None]
    assert (report.rejects, report.verified, report.ok) == (1, True, False)


def test_an_ambiguous_date_format_can_be_decided(
    lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path
) -> None:
    """A person may say that days come first; the spelling comes back all the same."""
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, d DATE)", {"t": [(1, "02/01/2024")]})
    plan = plan_transfer(source, postgres_database)
    column = plan.table("t").column("d")
    column.type, column.conversion = "date", {"kind": "temporal", "target": "date", "format": "DD/MM/YYYY"}
    plan.save(tmp_path / "plan.json")
    run_transfer(TransferPlan.load(tmp_path / "plan.json", target=postgres_database))
    assert asked(postgres_database, "SELECT d::text FROM t") == ["2024-01-02"]
    back = DatabaseConfig(sqlite_path=str(tmp_path / "back.db"))
    run_transfer(plan_transfer(postgres_database, back))
    with DatabaseAdapter(back) as adapter:
        assert adapter.fetch_value("SELECT CAST(d AS TEXT) FROM t") == "02/01/2024"


def test_a_new_name(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Tables and columns arrive under the names that the plan gives them, and get their own back."""
    source = lite(
        "CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, Title TEXT); INSERT INTO Album VALUES (1, 'x')"
    )
    plan = plan_transfer(source, postgres_database)
    table = plan.tables[0]
    table.target, table.primary_key = "album", ["album_id"]
    table.columns[0].target, table.columns[1].target = "album_id", "title"
    assert run_transfer(plan).verified
    assert asked(postgres_database, "SELECT album_id, title FROM album") == [(1, "x")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "is not a plan"),
        ("{}", "version"),
        ('{"version": 1, "direction": "sideways", "source": "", "target": "", "tables": []}', "direction"),
    ],
)
def test_what_is_no_plan(text: str, said: str, tmp_path: Path) -> None:
    """A file that is no plan is refused with a reason."""
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises((TransferError, ConfigError), match=said):
        TransferPlan.load(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("place", "entry", "value", "said"),
    [
        ("plan", "tables", {}, "transfer: tables must be a list, not {}"),
        ("plan", "tabels", [], "transfer has an entry 'tabels'"),
        ("table", "columns", ["x"], "table 't', column must be an object, not 'x'"),
        ("table", "target", "_dbadapter_rejects", "the adapter's own"),
        ("table", "target", "n" * 64, "longer than Postgres' 63 bytes"),
        ("table", "checks", [{"name": "c"}], "table 't', check 'c' has no entry 'expression'"),
        ("column", "tpye", "text", "column 'x' has an entry 'tpye'"),
        ("column", "nullable", "no", "column 'x': nullable must be true or false, not 'no'"),
        ("column", "type", 5, "column 'x': type must be text, not 5"),
        ("column", "type", "text); DROP TABLE u; --", "column 'x': 'text); DROP TABLE u; --' is no type"),
        ("column", "type", "text, y text", "is no type"),
        ("column", "target", "id", "table 't': two columns have the target 'id'"),
        ("column", "conversion", {"kind": "text", "lenght": 5}, "takes length, encoding, padded, not lenght"),
        ("column", "conversion", {"kind": "text", "length": "5"}, "length must be a whole number or null, not '5'"),
        ("column", "conversion", {"kind": "text", "encoding": "magic"}, "encoding must be one that Python knows"),
        ("column", "conversion", {"kind": "integer", "bits": 8}, "bits must be one of 16, 32, 64, not 8"),
        ("column", "conversion", {"kind": "temporal", "target": "date", "format": "%Y"}, "of a date has no YYYY"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_plan(
    place: str,
    entry: str,
    value: object,
    said: str,
    lite: Maker,
    postgres_database: DatabaseConfig,
    tmp_path: Path,
) -> None:
    """What is surplus, of another kind or impossible is named with its place, and nothing is done."""
    plan = plan_transfer(lite("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)"), postgres_database)
    plan.save(tmp_path / "plan.json")
    edited = json.loads((tmp_path / "plan.json").read_text())
    table = edited["tables"][0]
    {"plan": edited, "table": table, "column": table["columns"][1]}[place][entry] = value
    (tmp_path / "plan.json").write_text(json.dumps(edited))
    with pytest.raises((TransferError, ConfigError), match=re.escape(said)):
        TransferPlan.load(tmp_path / "plan.json", target=postgres_database)


def test_a_mistake_in_python(lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """A plan that was changed in the program, and wrong arguments, are refused as well; nothing is made."""
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
    plan = plan_transfer(source, postgres_database)
    wrong: list[dict[str, Any]] = [
        {"recreate": "no"}, {"dry_run": 0}, {"create_only": None}, {"resume": 1}, {"verify": "yes"}, {"progress": 5},
    ]  # fmt: skip
    for arguments in wrong:
        with pytest.raises(ConfigError, match=next(iter(arguments))):
            run_transfer(plan, **arguments)
    with pytest.raises(ConfigError, match="plan must be a TransferPlan"):
        run_transfer(str(tmp_path / "plan.json"))  # type: ignore[arg-type]
    for tables in (5, [5], "t"):
        with pytest.raises(ConfigError, match="tables must be a list of names"):
            plan_transfer(source, postgres_database, tables=tables)  # type: ignore[arg-type]
    with pytest.raises(TransferError, match="cannot write the plan"):
        plan.save(tmp_path)
    plan.table("t").column("x").type = "text, y text"
    with pytest.raises(ConfigError, match="is no type"):
        run_transfer(plan)
    assert asked(postgres_database, "SELECT relname FROM pg_class WHERE relname = 't'") == []


def test_a_plan_that_the_source_does_not_fit_any_more(
    lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path
) -> None:
    """A column that is gone since is named before anything is replaced; SQLite would give its name for every row."""
    script = "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, y TEXT); INSERT INTO t VALUES (1, 'a', 'b')"
    source, back = lite(script), DatabaseConfig(sqlite_path=str(tmp_path / "back.db"))
    there, _ = move(source, postgres_database)
    and_back = plan_transfer(postgres_database, back)
    with closing(sqlite3.connect(source.sqlite_path)) as raw, connect(postgres_database) as post:
        raw.execute("ALTER TABLE t DROP COLUMN y")
        post.execute("ALTER TABLE t DROP COLUMN y")
    for plan in (there, and_back):
        with pytest.raises(ConfigError, match="the source, which has no column 'y' in its table 't'"):
            run_transfer(plan, recreate=True, verify=False)
    with pytest.raises(TransferError, match="no interrupted transfer"):
        run_transfer(and_back, resume=True)
    assert asked(postgres_database, "SELECT * FROM t") == [(1, "a")]
    with connect(postgres_database) as post:
        post.execute("DROP TABLE t")
    with pytest.raises(ConfigError, match="the source, which has no table 't'"):
        run_transfer(and_back, verify=False)
    assert not Path(back.sqlite_path).exists()


def test_a_conversion_that_there_is_not(
    lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path
) -> None:
    """A mistake in a conversion is said with table and column, before anything is done."""
    plan = plan_transfer(lite("CREATE TABLE t (x)"), postgres_database)
    plan.tables[0].columns[0].conversion = {"kind": "magic"}
    plan.save(tmp_path / "plan.json")
    with pytest.raises(ConfigError, match="table 't', column 'x': conversion kind must be one of"):
        TransferPlan.load(tmp_path / "plan.json", target=postgres_database)


def test_ends(lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """An end is an adapter, a configuration or a URL; two of a kind are refused, and a missing table is named."""
    source = lite("CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1)")
    adapter = DatabaseAdapter(source)
    assert plan_transfer(adapter, postgres_database).table("t").rows == 1
    assert plan_transfer(f"sqlite:///{source.sqlite_path}", postgres_database).tables
    with pytest.raises(ConfigError, match="both ends are sqlite"):
        plan_transfer(source, source)
    with pytest.raises(ConfigError, match="no table 'nope'; there are t"):
        plan_transfer(source, postgres_database, tables=["nope"])
    with pytest.raises(ConfigError, match="a list of names"):
        plan_transfer(source, postgres_database, tables="t")
    with pytest.raises(ConfigError, match="in memory"):
        plan_transfer(DatabaseConfig(sqlite_path=":memory:"), postgres_database)
    with pytest.raises(ConfigError, match="encoding"):
        plan_transfer(source, postgres_database, encoding="klingon")


def test_without_a_profile(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Without reading values the plan goes by declarations; what does not fit is rejected and still accounted for."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, at DATETIME, v VARCHAR(3), d DECIMAL(4,2))",
        {"t": [(1, 5, "2024-01-31 00:00:00", "abc", 1.5), (2, "x", "2024-01-31T00:00:00", "abcd", 1.234),
               (3, None, "2023-02-30 00:00:00", None, None)]},
    )  # fmt: skip
    plan = plan_transfer(source, postgres_database, profile=False)
    report = run_transfer(plan)
    assert report.verified, report.check
    assert (report.rejects, report.tables[0].kept) == (4, 1)
    assert asked(postgres_database, "SELECT n, v, d::text FROM t ORDER BY id") == [
        (5, "abc", "1.50"),
        (None, None, None),
        (None, None, None),
    ]


def test_an_encoding_for_what_is_not_utf8(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """With an encoding given, old text arrives readable, and its bytes come back."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, CAST(x'4de97869636f' AS TEXT))"
    )
    run_transfer(plan_transfer(source, postgres_database, encoding="cp1252"))
    assert asked(postgres_database, "SELECT v FROM t") == ["México"]
    assert asked(postgres_database, "SELECT raw FROM _dbadapter_originals") == [b"M\xe9xico"]
    with_encoding = plan_transfer(source, postgres_database, encoding="cp1252")
    assert with_encoding.table("t").column("v").kept == 1
