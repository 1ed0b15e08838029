"""SQLAlchemy and Alembic on an adapter's own connections, on both backends."""

from __future__ import annotations

import datetime
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import ConfigError, SwitchError
from dbadapter.integrations.sqlalchemy import engine


class Base(DeclarativeBase):
    """The models of this test."""


class Note(Base):
    """A table with columns of several types."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(50), unique=True)
    made_at: Mapped[datetime.datetime] = mapped_column(sa.DateTime)
    extra: Mapped[dict[str, int]] = mapped_column(sa.JSON)


MOMENT = datetime.datetime(2024, 5, 6, 7, 8, 9)


def note(key: int, title: str) -> Note:
    """A note."""
    return Note(id=key, title=title, made_at=MOMENT, extra={"n": key})


def test_models_and_adapter_see_the_same_rows(sync_adapter: DatabaseAdapter) -> None:
    """What the ORM writes the adapter reads with the same values, and the other way round."""
    Base.metadata.create_all(engine(sync_adapter))
    with Session(engine(sync_adapter)) as session:
        session.add_all([note(1, "one"), note(2, "two")])
        session.commit()
    assert sync_adapter.fetch_all("SELECT * FROM notes WHERE id = 1") == [
        {"id": 1, "title": "one", "made_at": MOMENT, "extra": {"n": 1}}
    ]
    sync_adapter.execute("UPDATE notes SET title = 'changed' WHERE id = 2")
    with Session(engine(sync_adapter)) as session:
        found = session.scalars(sa.select(Note).where(Note.id == 2)).one()
        assert (found.title, found.made_at, found.extra) == ("changed", MOMENT, {"n": 2})


def test_a_transaction_is_all_or_nothing(sync_adapter: DatabaseAdapter) -> None:
    """A failure rolls everything back; a savepoint only what is inside."""
    Base.metadata.create_all(engine(sync_adapter))
    with Session(engine(sync_adapter)) as session:
        session.add(note(1, "one"))
        session.flush()
        session.add(note(2, "one"))
        with pytest.raises(sa.exc.IntegrityError):
            session.commit()
    assert sync_adapter.fetch_value("SELECT count(*) FROM notes") == 0
    with Session(engine(sync_adapter)) as session:
        session.add(note(1, "one"))
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.add(note(2, "one"))
            session.flush()
        session.commit()
    assert sync_adapter.fetch_value("SELECT count(*) FROM notes") == 1


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "SERIALIZABLE"])
def test_isolation_levels(level: str, sync_adapter: DatabaseAdapter) -> None:
    """In autocommit mode a statement stands at once, else with its transaction; the adapter is as before afterwards."""
    Base.metadata.create_all(engine(sync_adapter))
    count = "SELECT count(*) FROM notes"
    with engine(sync_adapter).connect().execution_options(isolation_level=level) as connection:
        connection.execute(sa.insert(Note).values(id=1, title="a", made_at=MOMENT, extra={}))
    stands = int(level == "AUTOCOMMIT")
    assert sync_adapter.fetch_value(count) == stands
    with engine(sync_adapter).connect() as connection:
        connection.execute(sa.insert(Note).values(id=2, title="b", made_at=MOMENT, extra={}))
    assert sync_adapter.fetch_value(count) == stands
    with sync_adapter.connection() as raw:
        raw.execute("INSERT INTO notes VALUES (3, 'c', '2024-01-01', '{}')")
    assert sync_adapter.fetch_value(count) == stands + 1


def test_what_is_no_sync_adapter(both: DatabaseConfig) -> None:
    """An async adapter, or none at all, is refused where the engine is asked for."""
    for wrong in (AsyncDatabaseAdapter(both), None):
        with pytest.raises(ConfigError, match="must be an open DatabaseAdapter"):
            engine(wrong)  # type: ignore[arg-type]


def test_connections_are_the_adapters(sync_adapter: DatabaseAdapter) -> None:
    """A connection counts in the adapter's pool while it is open, and goes back unharmed."""
    sync_adapter.execute("CREATE TABLE t (at TIMESTAMPTZ)")
    with engine(sync_adapter).connect() as connection:
        connection.execute(sa.text("INSERT INTO t VALUES (NULL)"))
        assert sync_adapter.get_stats()["active"] == 1
    assert sync_adapter.get_stats()["active"] == 0
    assert sync_adapter.fetch_value("SELECT count(*) FROM t") == 0
    sync_adapter.execute("INSERT INTO t VALUES (?)", [MOMENT.replace(tzinfo=datetime.UTC)])
    assert sync_adapter.fetch_value("SELECT at FROM t") == MOMENT.replace(tzinfo=datetime.UTC)
    assert engine(sync_adapter) is engine(sync_adapter)


def test_threads(sync_adapter: DatabaseAdapter) -> None:
    """Sessions in several threads wait for each other, and nothing is lost."""
    Base.metadata.create_all(engine(sync_adapter))
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(10):
                with Session(engine(sync_adapter)) as session:
                    session.add(note(number * 100 + n, f"{number} {n}"))
                    session.commit()
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sync_adapter.fetch_value("SELECT count(*) FROM notes") == 40


def test_a_switch(both: DatabaseConfig) -> None:
    """After a switch the old engine is refused, and the new one speaks to the new database."""
    with DatabaseAdapter(both) as adapter:
        old = engine(adapter)
        assert old.dialect.name == "sqlite"
        adapter.switch_database(DatabaseType.POSTGRESQL)
        with pytest.raises(SwitchError, match=r"ask .* again"):
            old.connect()
        assert adapter.get_stats()["active"] == 0
        with engine(adapter).connect() as connection:
            assert connection.execute(sa.text("SELECT version()")).scalar_one().startswith("PostgreSQL")


ENV = """
from alembic import context
from dbadapter.integrations.sqlalchemy import engine

with engine(context.config.attributes["adapter"]).connect() as connection:
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
"""

FIRST = """
from alembic import op
import sqlalchemy as sa

revision, down_revision = "first", None


def upgrade():
    op.create_table("notes", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("title", sa.Text))
    op.execute("INSERT INTO notes VALUES (1, 'kept')")


def downgrade():
    op.drop_table("notes")
"""

SECOND = """
from alembic import op
import sqlalchemy as sa

revision, down_revision = "second", "first"


def upgrade():
    with op.batch_alter_table("notes") as batch:
        batch.add_column(sa.Column("done", sa.Boolean, nullable=False, server_default=sa.false()))
        batch.alter_column("title", nullable=False)


def downgrade():
    with op.batch_alter_table("notes") as batch:
        batch.drop_column("done")
        batch.alter_column("title", nullable=True)
"""

BROKEN = """
from alembic import op

revision, down_revision = "broken", "second"


def upgrade():
    op.execute("CREATE TABLE half_done (id INTEGER)")
    op.execute("INSERT INTO no_such_table VALUES (1)")


def downgrade():
    pass
"""


def test_alembic(sync_adapter: DatabaseAdapter, tmp_path: Path) -> None:
    """Upgrade and downgrade, step by step, keep the rows; a migration that fails leaves nothing behind."""
    versions = tmp_path / "versions"
    versions.mkdir()
    (tmp_path / "env.py").write_text(ENV)
    (versions / "first.py").write_text(FIRST)
    (versions / "second.py").write_text(SECOND)
    alembic = Config()
    alembic.set_main_option("script_location", str(tmp_path))
    alembic.set_main_option("path_separator", "os")
    alembic.attributes["adapter"] = sync_adapter

    command.upgrade(alembic, "first")
    assert sync_adapter.fetch_all("SELECT * FROM notes") == [{"id": 1, "title": "kept"}]
    command.upgrade(alembic, "head")
    assert sync_adapter.fetch_all("SELECT * FROM notes") == [{"id": 1, "title": "kept", "done": False}]
    assert not sync_adapter.describe_table("notes").columns[1].nullable
    (versions / "broken.py").write_text(BROKEN)
    with pytest.raises(sa.exc.DBAPIError):
        command.upgrade(alembic, "head")
    assert "half_done" not in sync_adapter.list_tables()
    assert sync_adapter.fetch_value("SELECT version_num FROM alembic_version") == "second"
    command.downgrade(alembic, "first")
    assert sync_adapter.fetch_all("SELECT * FROM notes") == [{"id": 1, "title": "kept"}]
    command.downgrade(alembic, "base")
    assert sync_adapter.list_tables() == ["alembic_version"]
    assert sync_adapter.get_stats()["active"] == 0
