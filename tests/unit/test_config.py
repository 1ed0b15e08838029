"""DatabaseConfig and PoolConfig: what they accept, what they refuse, and what they never show."""

from __future__ import annotations

import logging
import math
import pickle
import traceback
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType, PoolConfig
from dbadapter.errors import ConfigError, DatabaseAdapterError, DatabaseUnavailable

SECRET = "s3cr3t/pä:ss@w%rd"
PLAIN_SECRET = "s3cr3t-hunter2"  # the same in bytes
QUOTED = "s3cr3t%2Fp%C3%A4%3Ass%40w%25rd"


def test_the_default_is_the_embedded_file() -> None:
    """Without arguments: SQLite in ./data/app.db."""
    config = DatabaseConfig()
    assert (config.db_type, config.sqlite_path) == (DatabaseType.SQLITE, "./data/app.db")


def test_pool_defaults() -> None:
    """The documented defaults hold."""
    pool = PoolConfig()
    expected = {
        "min_connections": 2,
        "max_connections": 10,
        "connection_timeout": 30.0,
        "idle_timeout": 300.0,
        "max_lifetime": 3600.0,
        "max_waiting": None,
        "statement_timeout": None,
        "sslmode": "prefer",
        "sslrootcert": None,
        "application_name": "dbadapter",
        "read_hosts": (),
        "load_balance": "least_busy",
        "max_replica_lag": None,
        "pgbouncer": False,
        "leak_threshold": None,
    }
    assert {name: getattr(pool, name) for name in expected} == expected


def test_configs_are_frozen_keyword_only_values() -> None:
    """They compare by value, cannot be changed, take no positional arguments and can be evolved."""
    assert DatabaseConfig(sqlite_path="a") == DatabaseConfig(sqlite_path="a")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        DatabaseConfig().sqlite_path = "b"  # type: ignore[misc]
    for kind in (DatabaseConfig, PoolConfig):
        with pytest.raises(TypeError):
            kind("x")  # type: ignore[misc]
    pool = attrs.evolve(PoolConfig(password=SECRET), host="elsewhere")
    assert (pool.host, pool.password) == ("elsewhere", SECRET)
    assert pickle.loads(pickle.dumps(pool)) == pool


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", ""),
        ("host", None),
        ("host", " , "),
        ("host", "h\ud800"),
        ("host", 5),
        ("port", 0),
        ("port", 65536),
        ("port", "5432"),
        ("port", True),
        ("database", ""),
        ("database", "a\0b"),
        ("user", 7),
        ("user", "me\ud800"),
        ("password", 7),
        ("password", "a\0b"),
        ("password", "a\ud800b"),
        ("min_connections", -1),
        ("min_connections", 11),
        ("min_connections", 1.5),
        ("max_connections", 0),
        ("connection_timeout", 0),
        ("connection_timeout", math.inf),
        ("connection_timeout", math.nan),
        ("connection_timeout", "soon"),
        ("idle_timeout", -1),
        ("max_lifetime", 0),
        ("max_lifetime", math.inf),
        ("max_waiting", -1),
        ("statement_timeout", 0),
        ("statement_timeout", 1e10),
        ("sslmode", "yes"),
        ("sslrootcert", 3),
        ("application_name", None),
        ("read_hosts", None),
        ("read_hosts", [5]),
        ("read_hosts", "r1:port"),
        ("read_hosts", ("r1:70000",)),
        ("load_balance", "fair"),
        ("max_replica_lag", -0.1),
        ("pgbouncer", "no"),
        ("leak_threshold", 0),
    ],
)
def test_a_wrong_pool_field_is_named(field: str, value: Any) -> None:
    """ConfigError names the field."""
    with pytest.raises(ConfigError, match=field):
        PoolConfig(**{field: value})


@pytest.mark.parametrize(
    ("field", "accepted"),
    [
        ("port", "from 1 to 65535"),
        ("max_connections", "at least 1 and at most"),
        ("connection_timeout", "greater than 0 and at most 2,000,000"),
        ("load_balance", "least_busy, round_robin, random"),
        ("host", "text that is not empty"),
    ],
)
def test_the_accepted_range_is_told(field: str, accepted: str) -> None:
    """ConfigError says what the field accepts."""
    with pytest.raises(ConfigError, match=f"{field} must be .*{accepted}"):
        PoolConfig(**{field: -1})  # type: ignore[arg-type]


def test_one_connection_at_most_needs_no_second_argument() -> None:
    """The default minimum gives way to a lower maximum; one that was asked for does not."""
    assert PoolConfig(max_connections=1).min_connections == 1
    with pytest.raises(ConfigError, match=r"min_connections must be at most max_connections \(1\), not 2"):
        PoolConfig(max_connections=1, min_connections=2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("db_type", "oracle"),
        ("db_type", None),
        ("sqlite_path", ""),
        ("sqlite_path", "a\ud800.db"),
        ("sqlite_path", "a\0b"),
        ("sqlite_path", 5),
        ("sqlite_path", "sqlite:///app.db"),
        ("pool", {"host": "db"}),
        ("logging", "yes"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    """ConfigError names the field, of DatabaseConfig too."""
    with pytest.raises(ConfigError, match=field):
        DatabaseConfig(**{field: value})


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/app.db", "data/app.db"),
        ("sqlite:////var/lib/app.db", "/var/lib/app.db"),
        ("sqlite:///with%20space.db", "with space.db"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite://", ":memory:"),
    ],
)
def test_sqlite_urls(url: str, path: str) -> None:
    """Three slashes are relative, four absolute, none is memory."""
    config = DatabaseConfig.from_url(url)
    assert (config.db_type, config.sqlite_path) == (DatabaseType.SQLITE, path)


def test_a_postgres_url_sets_everything() -> None:
    """Credentials are unquoted, options become fields of the pool with their types."""
    config = DatabaseConfig.from_url(
        f"postgresql://m%40e:{QUOTED}@db:5433/my%20app?read_hosts=r1:5432,r2:5433&sslmode=verify-full"
        "&max_connections=4&min_connections=1&statement_timeout=2.5&pgbouncer=true&application_name=shop"
    )
    assert config.db_type is DatabaseType.POSTGRESQL
    assert config.pool == PoolConfig(
        host="db",
        port=5433,
        user="m@e",
        password=SECRET,
        database="my app",
        read_hosts=("r1:5432", "r2:5433"),
        sslmode="verify-full",
        max_connections=4,
        min_connections=1,
        statement_timeout=2.5,
        pgbouncer=True,
        application_name="shop",
    )


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgres://db/app", "db", 5432),
        ("postgresql:///app?host=/run/postgresql", "/run/postgresql", 5432),
        ("postgresql://%2Frun%2Fpostgresql/app", "/run/postgresql", 5432),
        ("postgresql://[::1]:5433/app", "::1", 5433),
        ("postgresql://[::1]/app", "::1", 5432),
        ("postgresql://me@db:/app", "db", 5432),
        (" postgresql://db:6000/app\n", "db", 6000),
        ("postgresql:///app?host=h&port=6000", "h", 6000),
    ],
)
def test_hosts_in_urls(url: str, host: str, port: int) -> None:
    """Names, socket directories and IPv6 addresses, in the URL's place for it or as an option."""
    config = DatabaseConfig.from_url(url)
    assert config.pool.database == "app"
    assert (config.pool.host, config.pool.port) == (host, port)
    assert config.pool.primary_nodes == ((host, port),)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.db",
        "mysql://me:hunter2@db/app",
        "sqlite://app.db",
        "postgresql://me:hunter2@db:port/app",
        "postgresql://me:hunter2@db:99999/app",
        "postgresql://me:hunter2@[::1/app",
        "postgresql://me:hunter2@db/app?colour=red",
        "postgresql://me:hunter2@db/app?max_connections=many",
        "postgresql://me:hunter2@db/app?sslmode=maybe",
        "postgresql://me:hunter2@db/app?pgbouncer=perhaps",
        "postgresql://me:hunter2@db/app?password=hunter2&password=hunter2",
        "postgresql://me:hunter2/x@db/app",
        "postgresql://me:hunter2#x@db/app",
        "postgresql://me:12345#hunter2@db/app",
        "postgresql://me:hunter2?x@db/app",
        "postgresql://me:hunter2",
        "hunter2",
        None,
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url: Any) -> None:
    """One ConfigError, and the password stands neither in it nor in what it was raised from."""
    with pytest.raises(ConfigError) as caught:
        DatabaseConfig.from_url(url)
    assert "hunter2" not in shown(caught.value)


def shown(error: BaseException) -> str:
    """Everything a log would print of an error: its text, attributes, causes and contexts."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    return "".join(
        traceback.format_exception_only(e)[-1] + repr(e) + str(e.args) + repr(vars(e)) for e in chain
    )


def told_by_a_reporter(error: BaseException) -> str:
    """What an error reporter sends: each frame of the library and the driver with its local variables."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts: list[str] = []
    while told is not None:
        parts += [repr(frame.locals) for frame in told.stack if "/tests/" not in frame.filename]
        told = told.__cause__ or told.__context__  # type: ignore[assignment]
    return "".join(parts)


def test_a_url_in_the_place_of_a_host_is_refused_without_its_password() -> None:
    """A URL given as host is a mistake worth naming, not a host to look up and log."""
    for host in (f"postgresql://me:{SECRET}@db/app", "me:hunter2@db"):
        with pytest.raises(ConfigError, match="host") as caught:
            PoolConfig(host=host)
        assert SECRET not in shown(caught.value)
        assert "hunter2" not in shown(caught.value)


def test_a_password_never_shows() -> None:
    """Not in repr or str, whichever config holds it and wherever it came from."""
    configs = [
        PoolConfig(password=SECRET),
        DatabaseConfig(pool=PoolConfig(password=SECRET)),
        DatabaseConfig.from_url(f"postgresql://me:{QUOTED}@db/app"),
        DatabaseConfig.from_env({"DB_TYPE": "postgres", "DB_PASSWORD": SECRET}),
        DatabaseAdapter(DatabaseConfig(pool=PoolConfig(password=SECRET))),
    ]
    for config in configs:
        for text in (repr(config), str(config), f"{config}", repr([config])):
            assert SECRET not in text
            assert QUOTED not in text


@pytest.mark.parametrize("field", ["min_connections", "sslmode", "port"])
def test_a_password_never_shows_in_the_error_about_another_field(field: str) -> None:
    """ConfigError speaks of the wrong field only."""
    with pytest.raises(ConfigError) as caught:
        PoolConfig(password=SECRET, **{field: "x"})  # type: ignore[arg-type]
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("db_type", list(DatabaseType))
def test_a_password_never_shows_when_connecting_fails(
    db_type: DatabaseType, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    """A server that is not there: DatabaseUnavailable with its cause, and no password in it or in the log."""
    caplog.set_level(logging.DEBUG)
    for host in (str(tmp_path), "127.0.0.1"):
        pool = PoolConfig(host=host, port=1, password=PLAIN_SECRET, user="me", connection_timeout=2)
        config = DatabaseConfig(db_type=db_type, sqlite_path=str(tmp_path), pool=pool)
        with pytest.raises(DatabaseUnavailable) as caught:
            DatabaseAdapter(config).initialize()
        assert isinstance(caught.value, DatabaseAdapterError)
        assert caught.value.__cause__ is not None
        assert PLAIN_SECRET not in shown(caught.value) + told_by_a_reporter(caught.value) + caplog.text


def test_a_password_can_be_a_function() -> None:
    """Rotated credentials come from a function, which is not called to show the config."""
    pool = PoolConfig(password=lambda: SECRET)
    assert pool.current_password() == SECRET
    assert "password" not in repr(pool)


@pytest.mark.parametrize("given", [SECRET + "\ud800", SECRET + "\0", SECRET.encode()])
def test_a_function_that_gives_no_password(given: Any) -> None:
    """What cannot be sent is refused before the driver sees it, whose complaint would show it."""
    pool = PoolConfig(host="127.0.0.1", port=1, password=lambda: given, user="me", connection_timeout=2)
    with pytest.raises(ConfigError, match="without a NUL or lone surrogates") as caught:
        DatabaseAdapter(DatabaseConfig(db_type=DatabaseType.POSTGRESQL, pool=pool)).initialize()
    assert "s3cr3t" not in shown(caught.value)


@pytest.mark.parametrize("field", ["database", "user", "application_name"])
def test_a_url_in_the_place_of_a_name_is_refused_unseen(field: str) -> None:
    """Someone's URL, given where a name belongs, must not end up in a repr with its password."""
    with pytest.raises(ConfigError, match=f"^{field} must not be a URL") as caught:
        PoolConfig(**{field: "postgresql://me:sesame@host/app"})
    assert "sesame" not in str(caught.value)
