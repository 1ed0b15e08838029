"""What collections take of an SQLite file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig

RECORDS = 2000


@pytest.mark.parametrize("dimension", [128, 300, 384, 512, 768, 1024, 1536])
def test_hardly_anything_of_the_file_stays_empty(tmp_path: Path, dimension: int) -> None:
    """Vectors fill the pages of a file, whatever their dimension: it is little larger than their numbers."""
    vectors = np.random.default_rng(1).normal(size=(RECORDS, dimension)).astype(np.float32)
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(tmp_path / "app.db"))) as adapter:
        collection = adapter.vectors.create_collection("notes")
        collection.add([str(at) for at in range(RECORDS)], vectors)
        pages = adapter.fetch_value("PRAGMA page_count")
        size = pages * adapter.fetch_value("PRAGMA page_size")
    besides = RECORDS * 40 + 100_000  # ids and numbers of the records, and a page or two for each table
    assert size < vectors.nbytes * 1.2 + besides
