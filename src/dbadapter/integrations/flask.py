"""Flask: an adapter for the app, and a transaction for each request that asks for one.

::

    db = Database()
    app = Flask(__name__)
    db.init_app(app)        # app.config["DATABASE_URL"], or the environment

    @app.post("/notes")
    def create():
        db.tx.execute("INSERT INTO notes (title) VALUES (:title)", {"title": request.json["title"]})
        return "", 201
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from flask import Flask, Response, current_app, g

from .. import DatabaseAdapter
from ..config import DatabaseConfig
from ..errors import ConfigError

if TYPE_CHECKING:
    from .._sync.transaction import Transaction

__all__ = ["Database"]

_KEY = "dbadapter"
_FIRST_FAILURE = 400


class Database:
    """The extension: one object may serve several apps, each with an adapter of its own.

    Args:
        app: calls `init_app` with it.
        adapter: an adapter to use; None: one is made from the app's config.
    """

    def __init__(self, app: Flask | None = None, *, adapter: DatabaseAdapter | None = None) -> None:
        self._given = adapter
        self._lock = threading.Lock()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Take an app in; its database is opened when it is first used, in the process that uses it.

        ``app.config["DATABASE_URL"]`` names the database, else the environment does. Raises `ConfigError`.
        """
        url = app.config.get("DATABASE_URL")
        if url is not None and not isinstance(url, str):
            raise ConfigError(f"DATABASE_URL must be text, not {type(url).__name__}")
        config = DatabaseConfig.from_url(url) if url else DatabaseConfig.from_env()
        app.extensions[_KEY] = self._given or DatabaseAdapter(config)
        app.after_request(self._commit)
        app.teardown_request(self._roll_back)

    @property
    def adapter(self) -> DatabaseAdapter:
        """The adapter of the current app, open."""
        adapter: DatabaseAdapter = current_app.extensions[_KEY]
        with self._lock:
            adapter.initialize()
        return adapter

    @property
    def tx(self) -> Transaction:
        """The transaction of the current request, begun when it is first asked for.

        It is committed before the answer is sent if that is no failure (below 400), and rolled back otherwise.
        """
        if _KEY not in g:
            g.setdefault(_KEY, self.adapter.transaction().__enter__())
        transaction: Transaction = g.get(_KEY)
        return transaction

    def _commit(self, response: Response) -> Response:
        if response.status_code < _FIRST_FAILURE and (transaction := g.pop(_KEY, None)) is not None:
            transaction.__exit__(None, None, None)
        return response

    def _roll_back(self, exc: BaseException | None) -> None:
        """Whatever was not committed, be it for a failure or because the app never came to answer."""
        if (transaction := g.pop(_KEY, None)) is not None:
            reason = exc or RuntimeError("the request failed")
            transaction.__exit__(type(reason), reason, reason.__traceback__)
