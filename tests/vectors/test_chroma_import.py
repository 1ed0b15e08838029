"""Chroma directories made by the real chromadb, whole and broken, imported without it."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import ConfigError, VectorError
from dbadapter.vectors import import_chroma
from dbadapter.vectors.chroma_index import UnreadableIndex, open_index

Expected = dict[str, dict[str, dict[str, Any]]]


def chroma_python() -> str:
    """A Python that has chromadb: this one, or the one that DBADAPTER_CHROMA_PYTHON names."""
    named = os.environ.get("DBADAPTER_CHROMA_PYTHON")
    if named:
        return named
    if importlib.util.find_spec("chromadb") is None:
        pytest.skip(
            "missing: chromadb (pip install chromadb, or name a Python that has it: DBADAPTER_CHROMA_PYTHON)"
        )
    return sys.executable


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Expected]:
    """A directory as chromadb left it, and what chromadb reads from it."""
    python = chroma_python()
    home = tmp_path_factory.mktemp("chroma")
    script = Path(__file__).with_name("make_chroma.py")
    subprocess.run(
        [python, str(script), str(home / "data"), str(home / "expected.json")], check=True, timeout=120
    )
    return home / "data", json.loads((home / "expected.json").read_text())


@pytest.fixture
def chroma(original: tuple[Path, Expected], tmp_path: Path) -> Path:
    """A copy of the directory, to be broken."""
    return Path(shutil.copytree(original[0], tmp_path / "chroma"))


@pytest.fixture
def expected(original: tuple[Path, Expected]) -> Expected:
    """What chromadb reads."""
    return original[1]


@pytest.fixture
def adapter() -> Iterator[DatabaseAdapter]:
    """An empty database in memory."""
    with DatabaseAdapter(DatabaseConfig(sqlite_path=":memory:")) as adapter:
        yield adapter


def arrived(adapter: DatabaseAdapter, name: str, expected: Expected) -> set[str]:
    """The ids that arrived, each as chromadb had it."""
    got = adapter.vectors.get_collection(name).get(include=["embeddings", "metadatas", "documents"])
    for at, each in enumerate(got["ids"]):
        record = expected[name][each]
        assert got["documents"][at] == record["document"]
        assert got["metadatas"][at] == record["metadata"]
        np.testing.assert_allclose(got["embeddings"][at], record["vector"], rtol=1e-5, atol=1e-6)
    return set(got["ids"])


def files_of(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time and content."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in directory.rglob("*")
        if path.is_file()
    }


def segment_of(directory: Path, collection: str) -> Path:
    """The folder of a collection's vectors."""
    connection = sqlite3.connect(directory / "chroma.sqlite3")
    try:
        ((segment,),) = connection.execute(
            "SELECT s.id FROM segments AS s JOIN collections AS c ON s.collection = c.id"
            " WHERE c.name = ? AND s.scope = 'VECTOR'",
            [collection],
        )
    finally:
        connection.close()
    return directory / segment


def test_everything_arrives_and_nothing_is_touched(
    config: DatabaseConfig, chroma: Path, expected: Expected
) -> None:
    """On both backends: all records, values with their types, the metric; the directory stays as it was."""
    before = files_of(chroma)
    for path in [chroma, *chroma.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    seen: list[Any] = []
    try:
        with DatabaseAdapter(config) as adapter:
            report = import_chroma(chroma, adapter, batch_size=500, progress=seen.append)
            for each in report.collections:
                assert arrived(adapter, each.name, expected) == set(expected[each.name])
                assert (each.imported, each.found) == (len(expected[each.name]),) * 2
            assert report.complete
            again = import_chroma(chroma, adapter)
            assert [each.imported for each in again.collections] == [0, 0, 0, 0]
            assert again.collections[0].present == len(expected["cosines"])
            cosines = adapter.vectors.get_collection("cosines")
            assert (cosines.metric, cosines.dimension) == ("cosine", 6)
            assert cosines.metadata == {"hnsw:space": "cosine", "note": "é", "number": 3}
    finally:
        for path in [chroma, *chroma.rglob("*")]:
            path.chmod(0o755)
    assert files_of(chroma) == before
    assert seen[-1]["done"] == seen[-1]["found"]


def test_some_collections_under_other_names(
    adapter: DatabaseAdapter, chroma: Path, expected: Expected
) -> None:
    """What to import, and what to call it, can be said; what is not there is an error."""
    report = import_chroma(chroma, adapter, collections=["small"], names={"small": "tiny"})
    assert [each.target for each in report.collections] == ["tiny"]
    assert adapter.vectors.get_collection("tiny").count() == len(expected["small"])
    with pytest.raises(VectorError, match="has no collection nope; it has: cosines, empty, inner, small"):
        import_chroma(chroma, adapter, collections=["nope"])


def test_what_is_no_chroma_directory_is_said_to_be_none(adapter: DatabaseAdapter, tmp_path: Path) -> None:
    """A missing file, and a file of another kind."""
    with pytest.raises(VectorError, match=r"no chroma\.sqlite3"):
        import_chroma(tmp_path, adapter)
    (tmp_path / "chroma.sqlite3").write_bytes(b"not a database, and quite long enough to be looked at" * 20)
    with pytest.raises(VectorError, match="cannot be read"):
        import_chroma(tmp_path, adapter)
    (tmp_path / "chroma.sqlite3").unlink()
    sqlite3.connect(tmp_path / "chroma.sqlite3").close()
    with pytest.raises(VectorError, match="none of Chroma's tables"):
        import_chroma(tmp_path, adapter)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"directory": None}, "directory must be"),
        ({"adapter": 5}, "adapter must be an open DatabaseAdapter, not int"),
        ({"collections": "small"}, "collections must be a list of names"),
        ({"collections": 5}, "collections must be a list of names"),
        ({"names": ["small"]}, "names must be a mapping"),
    ],
)
def test_arguments_of_another_kind(
    adapter: DatabaseAdapter, chroma: Path, given: dict[str, Any], words: str
) -> None:
    """They are named, and nothing is imported."""
    with pytest.raises(ConfigError, match=words):
        import_chroma(**{"directory": chroma, "adapter": adapter, **given})
    assert adapter.vectors.count_collections() == 0


# -- broken --------------------------------------------------------------------------------------------


def problems(report: Any, name: str) -> list[str]:
    """What is reported of a collection, as text."""
    (entry,) = [each for each in report.collections if each.name == name]
    return [f"{each.id} {each.what}: {each.reason}" for each in entry.problems]


def test_a_truncated_index_gives_what_it_has(
    adapter: DatabaseAdapter, chroma: Path, expected: Expected
) -> None:
    """Records beyond the cut are reported one by one, the others arrive."""
    data = segment_of(chroma, "cosines") / "data_level0.bin"
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2 + 3])
    report = import_chroma(chroma, adapter)
    assert not report.complete
    here = arrived(adapter, "cosines", expected)
    lost = {each.id for each in report.collections[0].problems if each.what == "vector"}
    assert here | lost == set(expected["cosines"])
    assert not here & lost
    assert 300 < len(here) < 1100
    assert any("cut short" in each for each in problems(report, "cosines"))


@pytest.mark.parametrize("name", ["index_metadata.pickle", "header.bin", "data_level0.bin"])
def test_a_missing_file_is_reported(
    adapter: DatabaseAdapter, chroma: Path, expected: Expected, name: str
) -> None:
    """What is still in the queue arrives; the rest is named; other collections are whole."""
    (segment_of(chroma, "cosines") / name).unlink()
    report = import_chroma(chroma, adapter)
    here = arrived(adapter, "cosines", expected)
    assert {"zero", "new"} <= here
    assert any(name in each for each in problems(report, "cosines"))
    named = {each.id for each in report.collections[0].problems if each.what == "vector"}
    assert here | named == set(expected["cosines"])
    assert arrived(adapter, "inner", expected) == set(expected["inner"])


def test_a_missing_file_of_lengths_leaves_directions(
    adapter: DatabaseAdapter, chroma: Path, expected: Expected
) -> None:
    """Without the lengths, cosine vectors arrive normalized, and the report says so."""
    (segment_of(chroma, "cosines") / "length.bin").unlink()
    report = import_chroma(chroma, adapter, collections=["cosines"])
    assert any("length 1" in each for each in problems(report, "cosines"))
    collection = adapter.vectors.get_collection("cosines")
    vector = expected["cosines"]["cosines3"]["vector"]
    assert collection.query([vector], n_results=1)["ids"] == [["cosines3"]]


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def test_a_pickle_cannot_run_anything(adapter: DatabaseAdapter, chroma: Path, tmp_path: Path) -> None:
    """A pickle that names anything but plain data is refused, and the rest is imported."""
    mark = tmp_path / "pwned"
    path = segment_of(chroma, "cosines") / "index_metadata.pickle"
    path.write_bytes(pickle.dumps({"id_to_label": Evil(f"touch {mark}")}))
    report = import_chroma(chroma, adapter)
    assert not mark.exists()
    assert any("system" in each for each in problems(report, "cosines"))
    assert not problems(report, "small")


@pytest.mark.parametrize("damage", [b"", b"\x80", b"garbage" * 10, pickle.dumps([1]), pickle.dumps({"a": 1})])
def test_any_damage_to_a_pickle_is_reported(chroma: Path, damage: bytes) -> None:
    """Never another exception."""
    folder = segment_of(chroma, "cosines")
    (folder / "index_metadata.pickle").write_bytes(damage)
    with pytest.raises(UnreadableIndex, match=r"index_metadata\.pickle"):
        open_index(folder, 6, normalized=True)


def test_random_damage_is_survived(adapter: DatabaseAdapter, chroma: Path, expected: Expected) -> None:
    """Bytes changed anywhere in any file: an import ends with a report or a VectorError, and invents no record."""
    chance = np.random.default_rng(7)
    for round_number in range(25):
        copy = Path(shutil.copytree(chroma, chroma.parent / f"broken{round_number}"))
        files = [path for path in copy.rglob("*") if path.is_file() and path.stat().st_size]
        path = files[int(chance.integers(len(files)))]
        data = bytearray(path.read_bytes())
        for _ in range(20):
            at = int(chance.integers(len(data)))
            data[at : at + 8] = chance.bytes(len(data[at : at + 8]))
        path.write_bytes(data)
        try:
            report = import_chroma(
                copy, adapter, collections=["small"], names={"small": f"small{round_number}"}
            )
        except VectorError:
            continue
        finally:
            shutil.rmtree(copy)
        assert report.imported <= len(expected["small"])


def test_damage_that_cannot_even_be_told(adapter: DatabaseAdapter, chroma: Path) -> None:
    """Where the names in SQLite's own complaint are no text any more, it is the same error as for other damage."""
    path = chroma / "chroma.sqlite3"
    data = path.read_bytes().replace(b"tablecollections", b"table\xffollections")
    path.write_bytes(data.replace(b"CREATE TABLE", b"CREATE TABLF"))
    with pytest.raises(VectorError, match="cannot be read"):
        import_chroma(chroma, adapter)


def leaves_of(data: bytearray, size: int, page: int) -> list[int]:
    """The numbers of the pages that hold a table's rows, in the order of its keys.

    Source: "The SQLite Database File Format", section 1.6: a table's inner page is of type 5, with the number of cells
    at 3, the page of the largest keys at 8, and from 12 on the places of its cells, each of which begins with a page.
    """
    at = (page - 1) * size
    if data[at] != 5:
        return [page]
    (count, last) = struct.unpack_from(">H3xI", data, at + 3)
    cells = struct.unpack_from(f">{count}H", data, at + 12)
    below = [struct.unpack_from(">I", data, at + cell)[0] for cell in cells]
    return [leaf for each in (*below, last) for leaf in leaves_of(data, size, each)]


def test_a_damaged_table_gives_its_other_rows(
    adapter: DatabaseAdapter, chroma: Path, expected: Expected
) -> None:
    """A page that cannot be read costs the records on it, not the others."""
    file = chroma / "chroma.sqlite3"
    connection = sqlite3.connect(file)
    ((root,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'embedding_metadata'")
    ((size,),) = connection.execute("PRAGMA page_size")
    connection.close()
    data = bytearray(file.read_bytes())
    leaves = leaves_of(data, size, root)
    for page in leaves[len(leaves) // 2 : len(leaves) // 2 + 2]:
        at = (page - 1) * size
        data[at : at + size] = b"\xff" * size
    file.write_bytes(data)
    report = import_chroma(chroma, adapter)
    assert report.imported > 1000
    assert not report.complete


def test_lost_vectors_are_named(adapter: DatabaseAdapter, chroma: Path, expected: Expected) -> None:
    """Two processes on one directory overwrite each other's index: the records without a vector are listed."""
    folder = segment_of(chroma, "cosines")
    path = folder / "index_metadata.pickle"
    persisted = pickle.loads(path.read_bytes())
    lost = [each for each in persisted["id_to_label"] if each in expected["cosines"]][:40]
    for each in lost:
        persisted["label_to_id"].pop(persisted["id_to_label"].pop(each), None)
    path.write_bytes(pickle.dumps(persisted))
    report = import_chroma(chroma, adapter, collections=["cosines"])
    named = {each.id for each in report.collections[0].problems if each.what == "vector"}
    moved = {each for each in lost if each in arrived(adapter, "cosines", expected)}
    assert named == set(lost) - moved
    assert any("two processes" in each for each in problems(report, "cosines"))


def test_what_cannot_be_held_is_named_and_left_out(adapter: DatabaseAdapter, chroma: Path) -> None:
    """NUL characters, invalid text, reserved keys: the record arrives without them, and the report says so."""
    connection = sqlite3.connect(chroma / "chroma.sqlite3")
    with connection:
        connection.execute("DROP TABLE IF EXISTS embedding_fulltext_search")
        numbers = [
            number
            for (number,) in connection.execute(
                "SELECT id FROM embeddings WHERE embedding_id IN ('small1', 'small2', 'small3') ORDER BY embedding_id"
            )
        ]
        update = "UPDATE embedding_metadata SET string_value = ? WHERE id = ? AND key = ?"
        connection.execute(update, ("nul\0here", numbers[0], "chroma:document"))
        connection.execute(
            "UPDATE embedding_metadata SET string_value = CAST(x'ff41' AS TEXT) WHERE id = ? AND key = 's'",
            (numbers[1],),
        )
        connection.execute(
            "UPDATE embedding_metadata SET key = '$f' WHERE id = ? AND key = 'f'", (numbers[2],)
        )
    connection.close()
    report = import_chroma(chroma, adapter, collections=["small"])
    found = {(each.id, each.what) for each in report.collections[0].problems}
    assert found == {("small1", "document"), ("small2", "metadata s"), ("small3", "metadata $f")}
    got = adapter.vectors.get_collection("small").get(["small1", "small2", "small3"])
    assert got["documents"][0] is None
    assert "s" not in got["metadatas"][1]
    assert set(got["metadatas"][2]) >= {"i", "s", "b"}
