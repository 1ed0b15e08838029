"""DatabaseConfig.from_env: which variable decides, and what each of them means."""

from __future__ import annotations

import pytest

from dbadapter import DatabaseConfig, DatabaseType, PoolConfig
from dbadapter.errors import ConfigError

DB = {
    "DB_TYPE": "postgres",
    "DB_HOST": "db",
    "DB_PORT": "6000",
    "DB_USER": "me",
    "DB_PASSWORD": "hunter2",
    "DB_NAME": "shop",
}
PG = {
    "USE_POSTGRES": "true",
    "PGHOST": "pg",
    "PGPORT": "6001",
    "PGDATABASE": "shop2",
    "PGUSER": "you",
    "PGPASSWORD": "hunter3",
    "PGSSLMODE": "require",
    "PGREAD_HOST": "r1, r2:6002",
}
URL = {"DATABASE_URL": "postgresql://they:hunter4@url:6003/shop3"}


def test_an_empty_environment_is_sqlite() -> None:
    """Nothing set: the embedded default."""
    assert DatabaseConfig.from_env({}) == DatabaseConfig()


@pytest.mark.parametrize("variable", ["DATABASE_URL", "DB_TYPE", "USE_POSTGRES", "DB_LOGGING", "DB_DATABASE"])
def test_a_blank_variable_is_an_unset_one(variable: str) -> None:
    """As .env files and container definitions leave them."""
    for blank in ("", "  "):
        assert DatabaseConfig.from_env({variable: blank}) == DatabaseConfig()


def test_db_variables() -> None:
    """DB_TYPE with its DB_* companions."""
    config = DatabaseConfig.from_env(DB)
    assert config.db_type is DatabaseType.POSTGRESQL
    assert config.pool == PoolConfig(host="db", port=6000, user="me", password="hunter2", database="shop")


@pytest.mark.parametrize("text", ["postgres", "postgresql", "PostgreSQL"])
def test_both_names_of_postgres(text: str) -> None:
    """DB_TYPE knows postgres and postgresql."""
    assert DatabaseConfig.from_env({"DB_TYPE": text}).db_type is DatabaseType.POSTGRESQL


def test_db_type_sqlite_with_a_path() -> None:
    """DB_TYPE=sqlite takes the file from DB_DATABASE."""
    config = DatabaseConfig.from_env(
        {"DB_TYPE": "sqlite", "DB_DATABASE": "/tmp/a.db", "USE_POSTGRES": "true"}
    )
    assert (config.db_type, config.sqlite_path) == (DatabaseType.SQLITE, "/tmp/a.db")


def test_db_database_names_the_database_too() -> None:
    """Without DB_NAME, DB_DATABASE is the database's name."""
    config = DatabaseConfig.from_env({"DB_TYPE": "postgres", "DB_DATABASE": "shop"})
    assert config.pool.database == "shop"


def test_pg_variables() -> None:
    """USE_POSTGRES=true with libpq's variables and PGREAD_HOST."""
    config = DatabaseConfig.from_env(PG)
    assert config.db_type is DatabaseType.POSTGRESQL
    assert config.pool == PoolConfig(
        host="pg",
        port=6001,
        database="shop2",
        user="you",
        password="hunter3",
        sslmode="require",
        read_hosts=("r1", "r2:6002"),
    )


@pytest.mark.parametrize("text", ["false", "0", "", "no"])
def test_use_postgres_can_say_no(text: str) -> None:
    """USE_POSTGRES=false leaves SQLite, whatever PGHOST says."""
    assert DatabaseConfig.from_env({**PG, "USE_POSTGRES": text}) == DatabaseConfig()


@pytest.mark.parametrize(
    ("environ", "host"),
    [({**URL, **DB, **PG}, "url"), ({**DB, **PG}, "db"), (PG, "pg")],
    ids=["url", "db", "pg"],
)
def test_the_first_match_wins(environ: dict[str, str], host: str) -> None:
    """DATABASE_URL before DB_TYPE before USE_POSTGRES; empty variables count as unset."""
    assert DatabaseConfig.from_env(environ).pool.host == host
    assert DatabaseConfig.from_env({"DATABASE_URL": "", "DB_TYPE": "", **environ}).pool.host == host


def test_os_environ_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the process's environment is read."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:///from_env.db")
    assert DatabaseConfig.from_env().sqlite_path == "from_env.db"


def test_db_ssl_true_checks_certificates() -> None:
    """DB_SSL=true is TLS with certificate checking."""
    assert DatabaseConfig.from_env({**DB, "DB_SSL": "true"}).pool.sslmode == "verify-full"


def test_db_ssl_no_verify_warns() -> None:
    """Turning the checks off takes its own word, and warns."""
    with pytest.warns(UserWarning, match="no-verify"):
        config = DatabaseConfig.from_env({**DB, "DB_SSL": "no-verify"})
    assert config.pool.sslmode == "require"


def test_db_ssl_unset_is_the_default_mode() -> None:
    """Without DB_SSL, and with DB_SSL=false, no certificate is asked for."""
    assert DatabaseConfig.from_env(DB).pool.sslmode == "prefer"
    assert DatabaseConfig.from_env({**DB, "DB_SSL": "false"}).pool.sslmode in ("prefer", "disable")


@pytest.mark.parametrize("start", [{}, DB, PG, URL], ids=["none", "db", "pg", "url"])
def test_logging_and_synchronize(start: dict[str, str]) -> None:
    """DB_LOGGING and DB_SYNCHRONIZE count whichever way the database is chosen."""
    config = DatabaseConfig.from_env({**start, "DB_LOGGING": "true", "DB_SYNCHRONIZE": "1"})
    assert (config.logging, config.synchronize) == (True, True)
    config = DatabaseConfig.from_env(start)
    assert (config.logging, config.synchronize) == (False, False)


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"DB_TYPE": "oracle"}, "DB_TYPE"),
        ({**DB, "DB_PORT": "many"}, "DB_PORT must be an integer from 1 to 65535"),
        ({**DB, "DB_PORT": "1_000"}, "DB_PORT"),
        ({**DB, "DB_PORT": "٥"}, "DB_PORT"),
        ({**DB, "DB_PORT": "0"}, "DB_PORT|port"),
        ({**DB, "DB_SSL": "perhaps"}, "DB_SSL"),
        ({**DB, "DB_LOGGING": "perhaps"}, "DB_LOGGING"),
        ({"DB_SYNCHRONIZE": "perhaps"}, "DB_SYNCHRONIZE"),
        ({"USE_POSTGRES": "perhaps"}, "USE_POSTGRES"),
        ({**PG, "PGPORT": "x"}, "PGPORT"),
        ({**PG, "PGSSLMODE": "x"}, "PGSSLMODE|sslmode"),
        ({**PG, "PGREAD_HOST": "r1:x"}, "PGREAD_HOST|read_hosts"),
        ({"DATABASE_URL": "oracle://me:hunter2@db/app"}, "DATABASE_URL|url"),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], variable: str) -> None:
    """ConfigError names the variable and shows no password."""
    with pytest.raises(ConfigError, match=variable) as caught:
        DatabaseConfig.from_env(environ)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("wrong", [5, [], {"DATABASE_URL": 5}])
def test_what_is_no_environment(wrong: object) -> None:
    """It is refused as such."""
    with pytest.raises(ConfigError, match="environ must be a mapping of names to text"):
        DatabaseConfig.from_env(wrong)  # type: ignore[arg-type]
