"""OpenTelemetry: a span for each statement of an adapter; extra ``dbadapter[otel]``.

::

    adapter = instrument(DatabaseAdapter(config))

Names and attributes follow the semantic conventions for database clients.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, TracerProvider

from .. import __version__
from .._core.parsing import parse
from ..config import DatabaseType
from ..errors import DatabaseAdapterError, QueryError

__all__ = ["instrument"]

A = TypeVar("A")

_STATEMENTS = ("execute", "fetch_all", "fetch_one", "fetch_value")
_MARK = "_dbadapter_traced"
_LITERALS = re.compile(
    r"""(?P<kept>"(?:[^"]|"")*"|`[^`]*`|:\w+|\w*[^\W\d]\w*(?!')|[$]\d+)"""
    r"""|[eE]?'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b""",
    re.DOTALL,
)
_TABLE = re.compile(
    r"""\b(?:from|into|update|join)\s+((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)""", re.IGNORECASE
)


def instrument(adapter: A, *, tracer_provider: TracerProvider | None = None) -> A:
    """Make an adapter, sync or async, tell of each of its statements in a span, those of its transactions too.

    Literals in a statement's text are replaced by ``?``, and parameters are left out: they are the users' data. What
    `stream` reads is not traced. Doing it again does nothing.

    Args:
        adapter: a `DatabaseAdapter` or `AsyncDatabaseAdapter`.
        tracer_provider: whose spans; None: those of the process.

    Returns:
        The same adapter.
    """
    if getattr(adapter, _MARK, False):
        return adapter
    tracing = _Tracing(adapter, trace.get_tracer("dbadapter", __version__, tracer_provider))
    tracing.wrap(adapter)
    begin: Callable[..., Any] = getattr(adapter, "transaction")  # noqa: B009  (of whichever kind the adapter is)

    @functools.wraps(begin)
    def transaction(*arguments: Any, **options: Any) -> Any:
        made = begin(*arguments, **options)
        tracing.wrap(made)
        return made

    setattr(adapter, "transaction", transaction)  # noqa: B010
    setattr(adapter, _MARK, True)
    return adapter


class _Tracing:
    """Wraps the methods of one adapter and its transactions."""

    def __init__(self, adapter: Any, tracer: Tracer) -> None:
        self._adapter = adapter
        self._tracer = tracer
        # The adapter's own methods use each other; what the app called is the one span.
        self._inside: ContextVar[bool] = ContextVar("dbadapter-inside-a-span", default=False)

    def wrap(self, target: Any) -> None:
        """Put spans around the statements of an adapter or a transaction."""
        for name in _STATEMENTS:
            self._replace(target, name, self._of_statement)
        self._replace(target, "execute_many", self._of_batch)
        self._replace(target, "insert_many", self._of_insert)

    def _replace(self, target: Any, name: str, describe: Callable[..., tuple[str, dict[str, Any]]]) -> None:
        original = getattr(target, name)
        # The name of the statement's or the table's parameter: callers may give it as a keyword.
        first = next(iter(inspect.signature(original).parameters))

        def told(arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
            words = arguments if arguments else (options.get(first, ""),)
            return describe(*words, *(() if len(words) > 1 else (options.get("rows"),)))

        if inspect.iscoroutinefunction(original):

            @functools.wraps(original)
            async def traced_async(*arguments: Any, **options: Any) -> Any:
                with self._span(*told(arguments, options)):
                    return await original(*arguments, **options)

            setattr(target, name, traced_async)
            return

        @functools.wraps(original)
        def traced(*arguments: Any, **options: Any) -> Any:
            with self._span(*told(arguments, options)):
                return original(*arguments, **options)

        setattr(target, name, traced)

    def _of_statement(self, sql: str, *_others: Any) -> tuple[str, dict[str, Any]]:
        try:
            verb = parse(sql).verb.upper()
        except DatabaseAdapterError:
            verb = ""  # the call itself will say what is wrong with the text
        found = _TABLE.search(sql)
        table = found[1].replace('"', "") if found else None
        attributes: dict[str, Any] = {"db.query.text": without_literals(sql), "db.operation.name": verb}
        if table:
            attributes["db.collection.name"] = table
        return f"{verb} {table}" if table else verb, attributes

    def _of_batch(self, sql: str, rows: Any = None, *_others: Any) -> tuple[str, dict[str, Any]]:
        return _as_batch(*self._of_statement(sql), rows)

    def _of_insert(self, table: str, rows: Any = None, *_others: Any) -> tuple[str, dict[str, Any]]:
        return _as_batch(
            f"INSERT {table}", {"db.operation.name": "INSERT", "db.collection.name": table}, rows
        )

    @contextmanager
    def _span(self, name: str, attributes: dict[str, Any]) -> Iterator[None]:
        if self._inside.get():
            yield
            return
        where = self._place()
        span_name = name or where["db.system.name"]
        with self._tracer.start_as_current_span(
            span_name,
            kind=SpanKind.CLIENT,
            attributes={**where, **{key: value for key, value in attributes.items() if value != ""}},
            record_exception=False,  # a message may hold values
            set_status_on_exception=False,
        ) as span:
            token = self._inside.set(True)
            try:
                yield
            except Exception as exc:
                span.set_attribute("error.type", type(exc).__name__)
                if isinstance(exc, QueryError) and exc.sqlstate:
                    span.set_attribute("db.response.status_code", exc.sqlstate)
                span.set_status(Status(StatusCode.ERROR, type(exc).__name__))
                raise
            finally:
                self._inside.reset(token)

    def _place(self) -> dict[str, Any]:
        """The database in use at this moment: a switch may have changed it."""
        config = self._adapter.config
        if config.db_type is DatabaseType.SQLITE:
            return {"db.system.name": "sqlite", "db.namespace": config.sqlite_path}
        host, port = config.pool.primary_nodes[0]
        return {
            "db.system.name": "postgresql",
            "db.namespace": config.pool.database,
            "server.address": host,
            "server.port": port,
        }


def _as_batch(name: str, attributes: dict[str, Any], rows: Any) -> tuple[str, dict[str, Any]]:
    """The same as a batch, if it is known without reading them that there are several rows: one row is none."""
    if not isinstance(rows, Sized) or len(rows) < 2:
        return name, attributes
    batch = {
        "db.operation.name": f"BATCH {attributes['db.operation.name']}",
        "db.operation.batch.size": len(rows),
    }
    return f"BATCH {name}", {**attributes, **batch}


def without_literals(sql: str) -> str:
    """The statement with ``?`` in the place of each string and number in it; names and parameters stay."""
    return _LITERALS.sub(lambda found: found["kept"] or "?", sql)
