"""A Flask app on an adapter: a transaction for each request that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import flask
import pytest
from flask.testing import FlaskClient

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import ConfigError
from dbadapter.integrations.flask import Database


@pytest.fixture
def db(config: DatabaseConfig) -> Iterator[Database]:
    """The extension, on an adapter with one table, on each backend."""
    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY)")
        yield Database(adapter=adapter)


@pytest.fixture
def client(db: Database) -> FlaskClient:
    """A client of an app with it."""
    app = flask.Flask(__name__)
    db.init_app(app)

    @app.post("/notes/<int:key>")
    def create(key: int) -> tuple[str, int]:
        db.tx.execute("INSERT INTO notes VALUES (?)", [key])
        db.tx.fetch_value("SELECT count(*) FROM notes")
        fail = flask.request.args.get("fail")
        if fail == "bug":
            raise RuntimeError("a bug")
        return "", 400 if fail == "status" else 201

    @app.get("/notes")
    def count() -> str:
        return str(db.adapter.fetch_value("SELECT count(*) FROM notes"))

    return app.test_client()


def test_a_request_is_a_transaction(client: FlaskClient, db: Database) -> None:
    """What succeeds is committed before the answer, what fails is rolled back, and no connection stays behind."""
    assert client.post("/notes/1").status_code == 201
    assert client.post("/notes/2?fail=status").status_code == 400
    assert client.post("/notes/3?fail=bug").status_code == 500
    assert client.get("/notes").text == "1"
    with client.application.app_context():
        assert db.adapter.get_stats()["active"] == 0


def test_a_bug_in_debug_mode(client: FlaskClient, db: Database) -> None:
    """Where exceptions pass through the app, as in tests, the transaction is rolled back all the same."""
    client.application.testing = True
    with pytest.raises(RuntimeError, match="a bug"):
        client.post("/notes/3?fail=bug")
    assert client.get("/notes").text == "0"
    with client.application.app_context():
        assert db.adapter.get_stats()["active"] == 0


def test_the_config_of_the_app_names_the_database(tmp_path: object) -> None:
    """DATABASE_URL is read by init_app, which opens nothing; a wrong one is refused at once."""
    app = flask.Flask(__name__)
    app.config["DATABASE_URL"] = f"sqlite:///{tmp_path}/flask.db"
    db = Database(app)
    with app.app_context():
        assert db.adapter.fetch_value("SELECT 1") == 1
        db.adapter.close()
    for wrong in ("nonsense", 5):
        other = flask.Flask(__name__)
        other.config["DATABASE_URL"] = wrong
        with pytest.raises(ConfigError):
            Database(other)
