"""Spans of statements, as the semantic conventions want them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import attrs
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import UniqueViolation
from dbadapter.integrations.opentelemetry import instrument, without_literals


@attrs.frozen
class Traced:
    """An adapter whose spans are kept, called in the same words whether it is sync or async."""

    adapter: Any
    exporter: InMemorySpanExporter
    provider: TracerProvider

    async def call(self, target: Any, method: str, *arguments: Any) -> Any:
        """Call a method."""
        result = getattr(target, method)(*arguments)
        return await result if isinstance(self.adapter, AsyncDatabaseAdapter) else result

    def spans(self) -> list[ReadableSpan]:
        """The spans since the last look."""
        found = list(self.exporter.get_finished_spans())
        self.exporter.clear()
        return found


@pytest.fixture(params=[DatabaseAdapter, AsyncDatabaseAdapter])
async def traced(request: pytest.FixtureRequest, config: DatabaseConfig) -> AsyncIterator[Traced]:
    """An instrumented adapter of each kind on each backend, with a table."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with AsyncExitStack() as stack:
        adapter = request.param(config)
        if request.param is AsyncDatabaseAdapter:
            await stack.enter_async_context(adapter)
        else:
            stack.enter_context(adapter)
        made = Traced(instrument(adapter, tracer_provider=provider), exporter, provider)
        await made.call(adapter, "execute", "CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, title TEXT)")
        made.spans()
        yield made


async def test_a_statement_is_a_span(traced: Traced, config: DatabaseConfig) -> None:
    """Its name says what is done to which table; its attributes where; no value is among them."""
    await traced.call(traced.adapter, "execute", "INSERT INTO notes VALUES (:id, 'secret')", {"id": 4711})
    (span,) = traced.spans()
    assert span.name == "INSERT notes"
    assert span.kind is SpanKind.CLIENT
    found = dict(span.attributes or {})
    assert found["db.system.name"] == config.db_type.value
    assert found["db.query.text"] == "INSERT INTO notes VALUES (:id, ?)"
    assert found["db.collection.name"] == "notes"
    assert "secret" not in str(found)
    assert "4711" not in str(found)
    if config.db_type is DatabaseType.POSTGRESQL:
        assert (found["server.address"], found["server.port"]) == (config.pool.host, config.pool.port)


async def test_a_failure_is_told_without_values(traced: Traced) -> None:
    """The class of the error and its SQLSTATE, not its message."""
    await traced.call(traced.adapter, "insert_many", "notes", [(1, "x")])
    with pytest.raises(UniqueViolation):
        await traced.call(traced.adapter, "execute", "INSERT INTO notes VALUES (1, 'hunter2')")
    bulk, failed = traced.spans()
    assert bulk.name == "INSERT notes"
    assert "db.operation.batch.size" not in (bulk.attributes or {})  # one row is no batch
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "UniqueViolation"
    assert (failed.attributes or {})["db.response.status_code"] == "23505"
    assert not failed.events
    assert "hunter2" not in failed.to_json()


async def test_a_batch_and_arguments_by_name(traced: Traced) -> None:
    """Several rows are a batch of that size; a call with arguments by name is traced like any other."""
    rows = [{"id": 1}, {"id": 2}]
    options: list[dict[str, Any]] = [
        {"table": "notes", "rows": rows},
        {"sql": "SELECT * FROM notes", "params": []},
    ]
    for method, given in zip(("insert_many", "fetch_all"), options, strict=True):
        result = getattr(traced.adapter, method)(**given)
        if isinstance(traced.adapter, AsyncDatabaseAdapter):
            await result
    batch, read = traced.spans()
    assert batch.name == "BATCH INSERT notes"
    assert (batch.attributes or {})["db.operation.name"] == "BATCH INSERT"
    assert (batch.attributes or {})["db.operation.batch.size"] == 2
    assert read.name == "SELECT notes"


async def test_statements_of_a_transaction(traced: Traced) -> None:
    """Those of a transaction are spans below the one that is current."""
    with traced.provider.get_tracer("app").start_as_current_span("request"):
        if isinstance(traced.adapter, AsyncDatabaseAdapter):
            async with traced.adapter.transaction() as tx:
                await tx.execute("UPDATE notes SET title = NULL")
        else:
            with traced.adapter.transaction() as tx:
                tx.execute("UPDATE notes SET title = NULL")
    statement, request = traced.spans()
    assert statement.name == "UPDATE notes"
    assert statement.parent is not None
    assert statement.parent.span_id == request.context.span_id


async def test_instrumenting_twice_is_once(traced: Traced) -> None:
    """A statement is never two spans."""
    assert instrument(traced.adapter, tracer_provider=traced.provider) is traced.adapter
    await traced.call(traced.adapter, "fetch_all", "SELECT * FROM notes")
    assert [span.name for span in traced.spans()] == ["SELECT notes"]


def test_after_a_switch(both: DatabaseConfig) -> None:
    """The spans name the database in use at the moment."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with instrument(DatabaseAdapter(both), tracer_provider=provider) as adapter:
        adapter.fetch_value("SELECT 1")
        adapter.switch_database(DatabaseType.POSTGRESQL)
        adapter.fetch_value("SELECT 1")
    systems = [(span.attributes or {})["db.system.name"] for span in exporter.get_finished_spans()]
    assert systems == ["sqlite", "postgresql"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", "SELECT ?"),
        ("SELECT * FROM t2 WHERE a1 = 15 AND b = 'it''s'", "SELECT * FROM t2 WHERE a1 = ? AND b = ?"),
        ('SELECT "it\'s 5" FROM t', 'SELECT "it\'s 5" FROM t'),
        ("SELECT :p1, ? , x::int4", "SELECT :p1, ? , x::int4"),
        ("SELECT $$a 'b' 5$$, $x$y$x$", "SELECT ?, ?"),
        ("SELECT E'a\\'b', 1.5e-3", "SELECT ?, ?"),
    ],
)
def test_literals_are_left_out(sql: str, expected: str) -> None:
    """Strings and numbers are no part of what is told, names are."""
    assert without_literals(sql) == expected
