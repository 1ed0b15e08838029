"""Statements on a Postgres connection: reading, writing, bulk loads and streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.raw_cursor import AsyncRawCursor

from .._core.bulk import conflict_clause
from .._core.parsing import parse
from .._core.rows import NO_COLUMNS, RowSet
from .._core.statement import Parameters, Statement
from .._dialects import POSTGRESQL
from ..config import PoolConfig
from ..errors import UndefinedTable
from ..types import Result
from .postgres_link_async import FAILURES, AsyncPostgresLink, open_raw
from .postgres_types import (
    DECODED_TYPES,
    INTEGER_KEY,
    KEY,
    TYPE_NAMES,
    WRITABLE_COLUMNS,
    Fields,
    PostgresCatalog,
    Shape,
)
from .values import (
    COPY_AS_IS,
    COPY_ENCODERS,
    INT64_MAX,
    INT64_MIN,
    POSTGRES_ENCODERS,
    PackedVector,
    ValueRefused,
    encode,
    refusal,
)

__all__ = ["AsyncPostgresConnection", "connect"]

_COPY_ROWS = 1000
_UNCHANGED_ZONES = {None, UTC}
_UNDEFINED_COLUMN = "42703"
_CURSOR_VERBS = frozenset({"select", "with", "values", "table"})


async def connect(
    host: str, port: int, config: PoolConfig, catalog: PostgresCatalog, timeout: float | None = None
) -> AsyncPostgresConnection:
    """Open a connection to one server, in `timeout` seconds (default: ``connection_timeout``).

    Raises `DatabaseUnavailable` in the server's own words, `transient` if trying again may help.
    """
    raw = await open_raw(host, port, config, timeout or config.connection_timeout)
    return AsyncPostgresConnection(raw, catalog, is_shared=config.pgbouncer)


class AsyncPostgresConnection(AsyncPostgresLink):
    """A connection in autocommit mode with its statements; used by one caller at a time."""

    __slots__ = ()

    # -- statements ------------------------------------------------------------------------------------------------

    async def fetch(self, statement: Statement, params: Parameters, limit: int | None) -> RowSet:
        """The first `limit` rows (None: all) as tuples, and their columns."""
        text, values = statement.bind_numbered(params)
        cursor = self._cursor
        # Who sends a vector asks for vectors, as bytes: as text those would be twice as long.
        packed = PackedVector in map(type, values)
        try:
            await cursor.execute(cast(Any, text), encode(values, POSTGRES_ENCODERS), binary=packed)
            result = cursor.pgresult
            if result is None or not result.nfields:
                return NO_COLUMNS, []
            if limit == 1:
                row = await cursor.fetchone()
                rows = [] if row is None else [row]
            else:
                rows = await cursor.fetchall()
        except (ValueRefused, *FAILURES) as exc:
            if self._is_stale_plan(exc):
                await self.run("DEALLOCATE ALL")
                return await self.fetch(statement, params, limit)
            raise self._error(exc, statement, params) from exc
        fields = _fields(result)
        shape = self._catalog.known_shape(text, fields) or await self._look_up(text, fields)
        return shape.columns, shape.decode(rows) if shape.decoders else rows

    async def _look_up(self, text: str, fields: Fields) -> Shape:
        if unknown := self._catalog.unknown_types(fields):
            self._catalog.type_names.update(await self._ask(TYPE_NAMES, [unknown]))
        return self._catalog.new_shape(text, fields)

    async def execute(self, statement: Statement, params: Parameters) -> Result:
        """Run a statement for its effect."""
        text, values = statement.bind_numbered(params)
        key = None
        if statement.inserts_values and statement.table:
            key = await self._integer_key(statement.table)
            if key is not None and statement.returning < 0:
                text = f"{text}\nRETURNING {POSTGRESQL.quote(key)}"
        cursor = self._cursor
        try:
            await cursor.execute(cast(Any, text), encode(values, POSTGRES_ENCODERS))
            place = self._place_of(key, cursor) if key is not None else None
            rows = await cursor.fetchall() if place is not None else []
        except (ValueRefused, *FAILURES) as exc:
            if self._is_stale_plan(exc):
                await self.run("DEALLOCATE ALL")
                return await self.execute(statement, params)
            if statement.inserts_values and await self._is_stale_key(exc, statement.table, key):
                return await self.execute(statement, params)
            raise self._error(exc, statement, params) from exc
        if statement.changes_schema:
            self._catalog.clear()
        return Result(rowcount=cursor.rowcount, last_id=rows[-1][place] if rows else None)

    def _place_of(self, name: str, cursor: AsyncRawCursor[Any]) -> int | None:
        """Where in the result a column stands."""
        result, wanted = cursor.pgresult, name.encode()
        names = [result.fname(column) for column in range(result.nfields)] if result else []
        return names.index(wanted) if wanted in names else None

    async def _integer_key(self, table: str) -> str | None:
        known = self._catalog.integer_keys
        if table not in known:
            rows = await self._ask(INTEGER_KEY, [table])
            known[table] = rows[0][0] if rows else None
        return known[table]

    async def _is_stale_key(self, exc: Exception, table: str | None, key: str | None) -> bool:
        """After a failed INSERT: whether the key that was asked for has another name now, so that it can run again."""
        if table is None or not isinstance(exc, psycopg.Error):
            return False
        self._catalog.integer_keys.pop(table, None)  # the table may be made, or altered, by another process
        idle = self.raw.info.transaction_status == TransactionStatus.IDLE
        return (
            key is not None
            and exc.sqlstate == _UNDEFINED_COLUMN
            and idle
            and await self._integer_key(table) != key
        )

    async def execute_many(self, statement: Statement, rows: Iterable[Parameters]) -> int:
        """Run a statement once for each row, all or nothing; the number of rows affected."""
        current: Parameters = None

        def bound() -> Iterator[Sequence[Any]]:
            nonlocal current
            for current in rows:
                yield encode(statement.bind_numbered(current)[1], POSTGRES_ENCODERS)

        try:
            async with self.raw.transaction():
                if statement.numbered is None:
                    return sum([max((await self.execute(statement, row)).rowcount, 0) for row in rows])
                await self._cursor.executemany(cast(Any, statement.numbered), bound())
                return max(self._cursor.rowcount, 0)
        except (ValueRefused, *FAILURES) as exc:
            raise self._error(exc, statement, current) from exc

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]], on_conflict: str | None
    ) -> int:
        """Insert rows in bulk through COPY, all or nothing; the number of rows affected."""
        quoted, names = POSTGRESQL.quote(table), ", ".join(map(POSTGRESQL.quote, columns))
        statement = parse(f"INSERT INTO {quoted} ({names}) VALUES (NULL)")
        try:
            async with self.raw.transaction():
                if on_conflict is None:
                    return await self._copy(f"COPY {quoted} ({names}) FROM STDIN", rows, columns, statement)
                return await self._merge(table, columns, rows, on_conflict, statement)
        except FAILURES as exc:
            raise self._error(exc, statement, None) from exc
        except ValueError as exc:
            if not self.raw.closed:
                raise  # the rows' own
            raise self._error(exc, statement, None) from exc

    async def _copy(
        self, text: str, rows: Iterator[tuple[Any, ...]], columns: Sequence[str], statement: Statement
    ) -> int:
        async with self.raw.cursor() as cursor:
            async with cursor.copy(cast(Any, text)) as copy:
                while batch := list(islice(rows, _COPY_ROWS)):
                    try:
                        ready = _encode_batch(batch)
                        for row in ready:
                            await copy.write_row(row)
                    except (ValueRefused, psycopg.DataError, UnicodeError) as exc:
                        _blame(batch, columns, statement)
                        raise self._error(exc, statement, None) from exc
            return cursor.rowcount

    async def _merge(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterator[tuple[Any, ...]],
        on_conflict: str,
        statement: Statement,
    ) -> int:
        """COPY into a temporary table, and from there with ON CONFLICT; of equal keys the last one counts."""
        quoted, names = POSTGRESQL.quote(table), ", ".join(map(POSTGRESQL.quote, columns))
        keys = await self._ask(KEY, [quoted]) if on_conflict == "update" else []
        # The primary key, or the only unique constraint.
        key = keys[0][0] if keys and (keys[0][1] or len(keys) == 1) else []
        clause = conflict_clause(on_conflict, columns, key, POSTGRESQL.quote)
        temporary, order = "pg_temp._dbadapter_load", POSTGRESQL.quote("_dbadapter_order")
        await self.raw.execute("DROP TABLE IF EXISTS pg_temp._dbadapter_load")
        create = f"CREATE TEMP TABLE _dbadapter_load ON COMMIT DROP AS SELECT {names} FROM {quoted} LIMIT 0"
        await self.raw.execute(cast(Any, create))
        await self.raw.execute(
            cast(Any, f"ALTER TABLE {temporary} ADD {order} bigint GENERATED ALWAYS AS IDENTITY")
        )
        await self._copy(f"COPY {temporary} ({names}) FROM STDIN", rows, columns, statement)
        chosen = f"SELECT {names} FROM {temporary} ORDER BY {order}"
        if key:
            target = ", ".join(map(POSTGRESQL.quote, key))
            # Keys with a NULL in them are not equal to each other.
            has_null = " OR ".join(f"{POSTGRESQL.quote(name)} IS NULL" for name in key)
            same = f"{target}, CASE WHEN {has_null} THEN {order} END"
            last = f"SELECT DISTINCT ON ({same}) * FROM {temporary} ORDER BY {same}, {order} DESC"
            chosen = f"SELECT {names} FROM ({last}) latest ORDER BY {order}"
        insert = f"INSERT INTO {quoted} ({names}) OVERRIDING SYSTEM VALUE {chosen}{clause}"  # as COPY does
        cursor = await self.raw.execute(cast(Any, insert))
        await self.raw.execute(cast(Any, f"DROP TABLE {temporary}"))
        return cursor.rowcount

    async def stream(
        self, statement: Statement, params: Parameters, batch_size: int
    ) -> AsyncGenerator[RowSet, None]:
        """The rows in batches of `batch_size`, as they come from the server."""
        if self.raw.info.transaction_status == TransactionStatus.INTRANS:
            async for portion in self._stream_in_transaction(statement, params, batch_size):
                yield portion
            return
        if statement.writes and statement.returning < 0:  # psycopg streams only what gives rows
            columns, found = await self.fetch(statement, params, None)
            if found:
                yield columns, found
            return
        text, values = statement.bind_numbered(params)
        shape: Shape | None = None
        if not self._catalog.type_names:  # while rows arrive, nothing can be asked
            self._catalog.type_names.update(await self._ask(DECODED_TYPES, ()))
        try:
            async with AsyncRawCursor(self.raw) as cursor:
                batch: list[tuple[Any, ...]] = []
                rows = cursor.stream(cast(Any, text), encode(values, POSTGRES_ENCODERS), size=batch_size)
                try:
                    async for row in rows:
                        if shape is None:
                            shape = self._streamed_shape(cursor, text)
                        batch.append(row)
                        if len(batch) == batch_size:
                            yield shape.columns, shape.decode(batch) if shape.decoders else batch
                            batch = []
                finally:  # left early, the connection is good again only once psycopg has stopped the query
                    await rows.aclose()  # type: ignore[attr-defined]
                if batch and shape is not None:
                    yield shape.columns, shape.decode(batch) if shape.decoders else batch
        except (ValueRefused, *FAILURES) as exc:
            raise self._error(exc, statement, params) from exc

    async def _stream_in_transaction(
        self, statement: Statement, params: Parameters, batch_size: int
    ) -> AsyncGenerator[RowSet, None]:
        """`stream` through a cursor on the server, so that other statements of the transaction can run in between."""
        if statement.verb not in _CURSOR_VERBS or statement.writes:
            columns, rows = await self.fetch(statement, params, None)
            for start in range(0, len(rows), batch_size):
                yield columns, rows[start : start + batch_size]
            return
        text, values = statement.bind_numbered(params)
        self._cursors += 1
        name = f"_dbadapter_{self._cursors}"
        declare = f"DECLARE {name} NO SCROLL CURSOR FOR {text}"
        try:
            async with AsyncRawCursor(self.raw) as cursor:
                await cursor.execute(cast(Any, declare), encode(values, POSTGRES_ENCODERS))
                while True:
                    await cursor.execute(cast(Any, f"FETCH FORWARD {batch_size} FROM {name}"))
                    if not (rows := await cursor.fetchall()):
                        break
                    assert cursor.pgresult is not None
                    fields = _fields(cursor.pgresult)
                    shape = self._catalog.known_shape(text, fields) or await self._look_up(text, fields)
                    yield shape.columns, shape.decode(rows) if shape.decoders else rows
                # Left early, the cursor ends with the transaction: whoever closes a dropped stream may come too late.
                await cursor.execute(cast(Any, f"CLOSE {name}"))
        except (ValueRefused, *FAILURES) as exc:
            raise self._error(exc, statement, params) from exc

    def _streamed_shape(self, cursor: AsyncRawCursor[Any], text: str) -> Shape:
        """The shape of a result that is still arriving, so that nothing can be asked on this connection."""
        assert cursor.pgresult is not None
        fields = _fields(cursor.pgresult)
        return self._catalog.known_shape(text, fields) or self._catalog.new_shape(text, fields)

    async def columns_of(self, table: str) -> list[str]:
        """The names of a table's columns that can be written, in order. Raises `UndefinedTable`."""
        rows = await self._ask(WRITABLE_COLUMNS, [POSTGRESQL.quote(table)])
        if not rows:
            raise UndefinedTable(f'relation "{table}" does not exist', sqlstate="42P01")
        return [row[0] for row in rows]


def _fields(result: PGresult) -> Fields:
    return tuple([(result.fname(column), result.ftype(column)) for column in range(result.nfields)])


def _encode_batch(batch: list[tuple[Any, ...]]) -> Iterable[Sequence[Any]]:
    """The rows ready for COPY. Columns that psycopg can be given as they are, the usual case, cost next to nothing."""
    columns: list[Sequence[Any]] = list(zip(*batch, strict=True))
    changed = False
    for place, column in enumerate(columns):
        kinds = set(map(type, column))
        if kinds == {int} and min(column) >= INT64_MIN and max(column) <= INT64_MAX:
            continue
        if kinds == {datetime} and {value.tzinfo for value in column} <= _UNCHANGED_ZONES:
            continue
        if not kinds <= COPY_AS_IS:
            columns[place] = encode(column, COPY_ENCODERS)
            changed = True
    return zip(*columns, strict=True) if changed else batch


def _blame(batch: list[tuple[Any, ...]], columns: Sequence[str], statement: Statement) -> None:
    """Raise the `DataError` that names the column whose value was refused."""
    for row in batch:
        try:
            encode(row, POSTGRES_ENCODERS)
        except ValueRefused as exc:
            raise refusal(exc, statement, dict(zip(columns, row, strict=False)), POSTGRES_ENCODERS) from exc
