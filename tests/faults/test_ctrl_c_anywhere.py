"""Ctrl-C at every single moment at which Python looks for signals: afterwards all connections can be had again."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import attrs
import pytest

import dbadapter
from dbadapter import DatabaseAdapter, DatabaseConfig

OURS = str(Path(dbadapter.__file__).parent)


class CtrlC:
    """Raises KeyboardInterrupt at the n-th moment: Python looks for signals where functions begin and C code ends."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """What `sys.setprofile` takes."""
        if event in ("call", "c_return") and frame.f_code.co_filename.startswith(OURS):
            self.left -= 1
            if not self.left:
                sys.setprofile(None)
                raise KeyboardInterrupt


def read(adapter: DatabaseAdapter) -> None:
    """A read."""
    adapter.fetch_value("SELECT count(*) FROM t")


def write(adapter: DatabaseAdapter) -> None:
    """A write."""
    adapter.execute("INSERT INTO t (a) VALUES (1)")


def transact(adapter: DatabaseAdapter) -> None:
    """A transaction in a transaction."""
    with adapter.transaction() as tx:
        tx.execute("INSERT INTO t (a) VALUES (1)")
        with tx.transaction() as inner:
            inner.execute("INSERT INTO t (a) VALUES (1)")


def stream(adapter: DatabaseAdapter) -> None:
    """A stream that is left early."""
    with adapter.stream("SELECT a FROM t", batch_size=1) as rows:
        next(iter(rows))


def load(adapter: DatabaseAdapter) -> None:
    """A bulk load."""
    adapter.insert_many("t", [{"a": 1}, {"a": 1}])


def borrow(adapter: DatabaseAdapter) -> None:
    """The driver's own connection."""
    with adapter.connection() as raw:
        raw.execute("SELECT 1").fetchall()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # where a generator is interrupted that is being collected, nobody is there to be told
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning"
)  # a connection that was not ours yet ends with its references
@pytest.mark.parametrize(
    "work", [read, write, transact, stream, load, borrow], ids=lambda work: work.__name__
)
def test_ctrl_c_anywhere(config: DatabaseConfig, work: Callable[[DatabaseAdapter], None]) -> None:
    """Whatever was interrupted, and where: both connections are there for the next who ask."""
    pool = attrs.evolve(config.pool, min_connections=0, max_connections=2)
    with DatabaseAdapter(attrs.evolve(config, pool=pool)) as adapter:
        adapter.execute("CREATE TABLE t (a BIGINT)")
        adapter.insert_many("t", [{"a": 1}, {"a": 2}])
        moment, interrupted = 0, True
        while interrupted:
            moment += 1
            interrupt = CtrlC(moment)
            sys.setprofile(interrupt)
            try:
                work(adapter)
            except KeyboardInterrupt:
                pass
            finally:
                sys.setprofile(None)
            interrupted = interrupt.left <= 0
            with adapter.transaction() as tx, adapter.pool.get_connection(read_only=True) as raw:
                tx.execute("INSERT INTO t (a) VALUES (3)")
                assert raw.execute("SELECT 1").fetchall() == [(1,)]
        assert moment > 20
        assert adapter.get_stats()["active"] == 0
        assert adapter.get_stats()["waiting"] == 0
    gc.collect()  # here, where it may warn
