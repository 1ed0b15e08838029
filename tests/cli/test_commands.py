"""The commands, on both backends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType, __version__
from dbadapter.cli.app import COMMANDS
from tests.cli.conftest import PASSWORD, Run, url_of
from tests.vectors.test_chroma_import import chroma_python

DOWN = f"postgresql://me:{PASSWORD}@127.0.0.1:1/app?connection_timeout=0.2"


def test_help_tells_of_every_command(run: Run) -> None:
    """``--help`` lists the commands, and each has a help of its own."""
    shown = run("--help")
    assert shown.code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", shown.out, re.MULTILINE)
        own = run(name, "--help")
        assert own.code == 0
        assert own.out.startswith(f"Usage: dbadapter {name}")


def test_version(run: Run) -> None:
    """``--version`` names it."""
    assert run("--version").out.strip().endswith(__version__)


def test_nothing_at_all(run: Run) -> None:
    """Without a command the help is shown, as wrong usage."""
    shown = run()
    assert (shown.code, shown.out) == (2, "")
    assert "Usage: dbadapter" in shown.err


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """``python -m dbadapter`` in a process of its own does the same, with the same exit code."""
    command = [sys.executable, "-W", "error", "-m", "dbadapter", "health", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert '"unhealthy"' in done.stdout
    assert not (tmp_path / "data").exists()


def test_status(run: Run, url: str) -> None:
    """The database, its node and its pool, as text and as JSON."""
    shown = run("status", "--url", url)
    assert shown.code == 0
    assert "healthy" in shown.out
    assert "primary" in shown.out
    assert PASSWORD not in shown.out
    found = run("--url", url, "--json", "status").json
    assert found["health"]["status"] == "healthy"
    assert found["pool"]["nodes"][0]["role"] == "primary"


def test_health(run: Run, url: str) -> None:
    """One word, and exit code 0."""
    assert run("health", "--url", url).out == "healthy\n"
    assert run("health", "--url", url, "--json").json["status"] == "healthy"


@pytest.mark.parametrize("command", ["status", "health"])
def test_a_database_that_is_down(run: Run, command: str) -> None:
    """What cannot be opened is unhealthy, with the reason and without the password; exit code 1."""
    shown = run(command, "--url", DOWN)
    assert shown.code == 1
    assert shown.out.startswith("unhealthy: cannot connect")
    as_json = run(command, "--url", DOWN, "--json")
    assert as_json.code == 1
    assert "cannot connect" in as_json.json["error"]
    assert PASSWORD not in shown.out + shown.err + as_json.out + as_json.err


def test_tables(run: Run, url: str) -> None:
    """The names, with the numbers of rows on request."""
    assert run("tables", "--url", url).out == "children\nparents\n"
    assert run("tables", "--url", url, "--json").json == ["children", "parents"]
    counted = run("tables", "--counts", "--url", url).out.split()
    assert counted == ["table", "rows", "children", "0", "parents", "2"]


def test_one_table(run: Run, url: str) -> None:
    """Columns, keys and indexes of one table."""
    shown = run("tables", "children", "--url", url).out
    assert "primary key: id" in shown
    assert "foreign key: parent_id refers to parents (id), on delete cascade" in shown
    assert "unique index: by_name on name" in run("tables", "parents", "--url", url).out
    described = run("tables", "parents", "--json", "--counts", "--url", url).json
    assert (described["primary_key"], described["rows"]) == (["id"], 2)


def test_a_missing_table(run: Run, url: str) -> None:
    """One line on standard error, and exit code 1."""
    shown = run("tables", "nothing", "--url", url)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith("dbadapter: there is no table 'nothing'")
    assert shown.err.count("\n") == 1


def test_a_missing_file_is_not_made(run: Run, tmp_path: Path) -> None:
    """Looking at a file that is not there makes none, not even the default one."""
    assert run("tables").code == 1
    assert run("tables", "--url", "sqlite:///other.db").code == 1
    assert run("schema", "export").code == 1
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_the_database(run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``--url`` the environment counts; with it, it does not."""
    monkeypatch.setenv("DATABASE_URL", url)
    assert run("tables").out == "children\nparents\n"
    assert run("tables", "--url", DOWN).code == 1


def test_schema_export_and_check(run: Run, url: str, tmp_path: Path) -> None:
    """The exported SQL is what the database has, for both dialects; a difference is named and gives 1."""
    exported = run("schema", "export", "--url", url, "--dialect", "postgresql")
    assert exported.code == 0
    assert 'CREATE TABLE "parents"' in exported.out or "CREATE TABLE parents" in exported.out
    file = tmp_path / "schema.sql"
    assert run("schema", "export", "--url", url, "--dialect", "postgresql", "-o", str(file)).out == ""
    assert file.read_text() == exported.out
    assert run("schema", "check", str(file), "--url", url).code == 0
    file.write_text(exported.out + "CREATE TABLE more (id bigint PRIMARY KEY);\n")
    differs = run("schema", "check", str(file), "--url", url)
    assert differs.code == 1
    assert "more: the table is missing" in differs.out
    assert run("schema", "check", str(file), "--url", url, "--json").json[0]["table"] == "more"


@pytest.mark.parametrize(
    "script",
    ["CREATE TABLE parents (id bigint", "CREATE TABL parents (id bigint)", "CREATE TABLE p AS SELECT 1"],
)
def test_a_schema_that_cannot_be_read(script: str, run: Run, url: str, tmp_path: Path) -> None:
    """A table that was not understood is named, and is never taken for one without differences."""
    file = tmp_path / "schema.sql"
    file.write_text(script)
    for command in (["check", str(file), "--url", url], ["export", str(file), "--dialect", "sqlite"]):
        result = run("schema", *command)
        assert result.code == 1
        assert "left out: CREATE TABL" in result.err


def test_schema_from_python(run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Schema in a module of the current directory is a source, too."""
    (tmp_path / "my_models.py").write_text(
        "from dbadapter.schema import Column, Schema, Table, types as t\n"
        "schema = Schema([Table('parents', Column('id', t.BigInteger(), primary_key=True),"
        " Column('name', t.Varchar(50), nullable=False, unique=True))])\n"
        "other = 5\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert "CREATE TABLE" in run("schema", "export", "my_models:schema", "--dialect", "sqlite").out
    assert run("schema", "check", "my_models:other", "--url", url).code == 2
    assert run("schema", "check", "my_models:schema", "--url", url).code in (0, 1)


def test_vectors(run: Run, config: DatabaseConfig) -> None:
    """The collections with their sizes; none where there are none, and none are made by looking."""
    with DatabaseAdapter(config) as adapter:
        if config.db_type is DatabaseType.POSTGRESQL:
            adapter.execute("CREATE EXTENSION vector")
        assert run("vectors", "list", "--json", "--url", url_of(config)).json == []
        adapter.vectors.create_collection("notes", dimension=2).add(
            ["a", "b"], embeddings=[[1.0, 0.0], [0.0, 1.0]]
        )
        assert adapter.list_tables() == []
    found = run("vectors", "list", "--json", "--url", url_of(config)).json
    assert [(row["name"], row["count"], row["dimension"]) for row in found] == [("notes", 2, 2)]
    assert "notes" in run("vectors", "list", "--url", url_of(config)).out


def test_upkeep_of_collections(run: Run, config: DatabaseConfig) -> None:
    """Sizes and index of one collection; room given back; the index made, made anew and taken away; recall judged."""
    url = url_of(config)
    with DatabaseAdapter(config) as adapter:
        if config.db_type is DatabaseType.POSTGRESQL:
            adapter.execute("CREATE EXTENSION vector")
        vectors = [[float(at), 1.0] for at in range(100)]
        collection = adapter.vectors.create_collection("notes", dimension=2, metric="l2")
        collection.add([f"n{at}" for at in range(100)], embeddings=vectors)
        collection.delete([f"n{at}" for at in range(50)])
    shown = run("vectors", "show", "notes", "--json", "--url", url).json
    assert (shown["count"], shown["metric"], shown["index"]) == (50, "l2", None)
    assert "disk_bytes" in run("vectors", "show", "notes", "--url", url).out
    (freed,) = run("vectors", "vacuum", "--json", "--url", url).json
    assert (freed["name"], freed["bytes_now"] is None or freed["bytes_now"] > 0) == ("notes", True)
    made = run("vectors", "index", "notes", "hnsw", "-o", "m=8", "--json", "--url", url)
    assert made.code == 0
    assert made.json["index"] == ("hnsw" if config.db_type is DatabaseType.POSTGRESQL else None)
    assert run("vectors", "reindex", "notes", "--url", url).code == 0
    judged = run("vectors", "recall", "--json", "--url", url)
    assert (judged.code, judged.json["enough"], judged.json["recall"]["notes"] > 0.9) == (0, True, True)
    assert "notes" in run("vectors", "recall", "notes", "--samples", "3", "-k", "2", "--url", url).out
    assert run("vectors", "index", "notes", "none", "--url", url).code == 0
    assert run("vectors", "show", "notes", "--json", "--url", url).json["index"] is None


def test_upkeep_of_what_is_not_there(run: Run, config: DatabaseConfig) -> None:
    """Unknown collections are errors, bad options wrong usage, and where there are none there is nothing to do."""
    url = url_of(config)
    with DatabaseAdapter(config):
        pass
    assert run("vectors", "vacuum", "--json", "--url", url).json == []
    assert run("vectors", "recall", "--json", "--url", url).json == {"recall": {}, "enough": True}
    for words in (["show", "x"], ["vacuum", "x"], ["reindex", "x"], ["recall", "x"], ["index", "x", "hnsw"]):
        refused = run("vectors", *words, "--url", url)
        assert refused.code == 1
        assert "'x'" in refused.err
    assert run("vectors", "index", "x", "btree", "--url", url).code == 2
    assert run("vectors", "index", "x", "hnsw", "-o", "m", "--url", url).code == 2


def test_copy_of_collections(run: Run, config: DatabaseConfig, tmp_path: Path) -> None:
    """Collections arrive in another database; a second time nothing is written; an unknown one is refused."""
    with DatabaseAdapter(config) as adapter:
        if config.db_type is DatabaseType.POSTGRESQL:
            adapter.execute("CREATE EXTENSION vector")
        adapter.vectors.create_collection("notes", dimension=2).add(
            ["a", "b"], embeddings=[[1.0, 0.0], [0.0, 1.0]]
        )
    words = ["vectors", "copy", "--url", url_of(config), "--to", f"sqlite:///{tmp_path}/copy.db"]
    first = run(*words, "--json")
    assert (first.code, first.json["collections"][0]["written"]) == (0, 2)
    assert run(*words, "--json").json["collections"][0]["written"] == 0
    assert "notes" in run(*words).out
    assert run(*words, "--collection", "unknown").code == 1


def test_import_of_a_chroma_directory(run: Run, url: str, tmp_path: Path) -> None:
    """A directory of the real chromadb arrives whole, and again without doubling; any other one is refused."""
    made = tmp_path / "chroma"
    script = Path(__file__).parents[1] / "vectors" / "make_chroma.py"
    subprocess.run(
        [chroma_python(), str(script), str(made), str(tmp_path / "expected.json")], check=True, timeout=120
    )
    if url.startswith("postgresql"):
        with DatabaseAdapter(DatabaseConfig.from_url(url)) as adapter:
            adapter.execute("CREATE EXTENSION vector")
    first = run("vectors", "import-chroma", str(made), "--json", "--url", url)
    assert (first.code, first.json["complete"]) == (0, True)
    assert first.json["imported"] > 2000
    assert run("vectors", "import-chroma", str(made), "--json", "--url", url).json["imported"] == 0


def test_no_chroma_directory(run: Run, url: str, tmp_path: Path) -> None:
    """A directory of something else is refused in one line."""
    (tmp_path / "empty").mkdir()
    shown = run("vectors", "import-chroma", str(tmp_path / "empty"), "--url", url)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.count("\n") == 1


def test_switch(run: Run, both: DatabaseConfig) -> None:
    """A rehearsal changes nothing; the switch moves all rows and says so."""
    source, target = url_of(both), url_of(attrs.evolve(both, db_type=DatabaseType.POSTGRESQL))
    with DatabaseAdapter(both) as adapter:
        adapter.execute("CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, text TEXT)")
        adapter.insert_many("t", ((n, f"text {n}") for n in range(500)))
    rehearsed = run("switch", "--rehearse", "--json", "--url", source, "--to", target)
    assert (rehearsed.code, rehearsed.json["rows_copied"]) == (0, 500)
    assert run("tables", "--url", target).out == ""
    switched = run("switch", "--url", source, "--to", target)
    assert switched.code == 0, switched.err
    assert "switched from sqlite to postgresql: 500 rows" in switched.out
    assert (both.pool.current_password() or "") not in switched.out + switched.err
    assert run("tables", "--counts", "--json", "--url", target).json == [{"name": "t", "rows": 500}]
    assert run("switch", "--rehearse", "--follow-back", "--url", source, "--to", target).code == 2


def test_a_switch_that_cannot_be(run: Run, url: str) -> None:
    """A target that is down leaves everything as it was; without a target it is wrong usage."""
    shown = run("switch", "--to", DOWN, "--url", url)
    assert shown.code == 1
    assert "the old database stays in use" in shown.err
    assert PASSWORD not in shown.out + shown.err
    assert run("switch", "--url", url).code == 2
    assert run("tables", "--url", url).code == 0


def test_doctor(run: Run, url: str) -> None:
    """A sound database gives 0, a broken one 1 with the code and the remedy, warnings 1 if they are to count."""
    shown = run("doctor", "--url", url)
    assert shown.code == 0
    assert "0 errors" in shown.out
    broken = run("doctor", "--url", DOWN)
    assert broken.code == 1
    assert "[nothing-listens]" in broken.out
    assert "→" in broken.out
    found = run("doctor", "--url", DOWN, "--json").json
    assert not found["healthy"]
    assert found["findings"][-1]["code"] == "nothing-listens"
    assert run("doctor", "--url", "sqlite:///missing.db").code == 0
    assert run("doctor", "--strict", "--url", "sqlite:///missing.db").code == 1


# -- serve ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [False, True])
def test_serve(url: str, tmp_path: Path, as_json: bool) -> None:
    """It says where it listens, for people or programs, wants the token of the file, and ends with 0 on Ctrl-C."""
    (tmp_path / "token").write_text("open-sesame\n")
    command = [
        sys.executable,
        "-m",
        "dbadapter",
        "serve",
        "--port",
        "0",
        "--url",
        url,
        "--token-file",
        "token",
        *(["--json"] if as_json else []),
    ]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            address = json.loads(line)["url"] if as_json else line.split()[0]
            with urllib.request.urlopen(f"{address}health", timeout=30) as answer:
                assert answer.status == 200
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{address}tables", timeout=30)
            assert refused.value.code == 401
            refused.value.close()
            asked = urllib.request.Request(
                f"{address}tables", headers={"Authorization": "Bearer open-sesame"}
            )
            with urllib.request.urlopen(asked, timeout=30) as answer:
                assert b"parents" in answer.read()
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 0
        finally:
            server.kill()


def test_serve_is_not_open_by_accident(run: Run, sqlite_database: DatabaseConfig) -> None:
    """To other machines it shows nothing without a token; an empty token file is refused."""
    Path(sqlite_database.sqlite_path).touch()
    url = url_of(sqlite_database)
    refused = run("serve", "--host", "0.0.0.0", "--url", url)
    assert refused.code == 2
    assert "everyone who reaches 0.0.0.0" in refused.err
    Path("empty").touch()
    assert run("serve", "--token-file", "empty", "--url", url).code == 2
    assert run("serve", "--host", "no-such-host.invalid", "--open", "--url", url).code == 1
