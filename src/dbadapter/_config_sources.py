"""Reads a URL or an environment into the arguments of `DatabaseConfig`: names and text in, typed values out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .errors import ConfigError

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")

_INTEGERS = frozenset({"port", "min_connections", "max_connections", "max_waiting"})
_SECONDS = frozenset(
    {
        "connection_timeout",
        "idle_timeout",
        "leak_threshold",
        "max_lifetime",
        "max_replica_lag",
        "statement_timeout",
    }
)
_TEXTS = frozenset(
    {"host", "user", "password", "sslmode", "sslrootcert", "application_name", "load_balance", "read_hosts"}
)
_FLAGS = frozenset({"pgbouncer"})
_URL_ALIASES = {"dbname": "database", "connect_timeout": "connection_timeout"}
_POOL_OPTIONS = _INTEGERS | _SECONDS | _TEXTS | _FLAGS | {"database"}
_DATABASE_FLAGS = frozenset({"logging", "log_parameters", "synchronize", "create_database"})


def config_arguments_from_url(url: str) -> dict[str, Any]:
    """The arguments that `url` spells out; `ConfigError` without the URL's password in it."""
    url = url.strip() if isinstance(url, str) else ""
    if "://" not in url:
        raise ConfigError("url must look like sqlite:///app.db or postgresql://user@host:5432/database")
    scheme = url.partition("://")[0].lower().partition("+")[0]
    if scheme in ("sqlite", "sqlite3"):
        return _sqlite_arguments(url)
    if scheme in ("postgres", "postgresql"):
        return _postgres_arguments(url)
    raise ConfigError(f"url must begin with sqlite:// or postgresql://, not {scheme}://")


def _sqlite_arguments(url: str) -> dict[str, Any]:
    rest, _, query = url.partition("://")[2].partition("?")
    if rest and rest != ":memory:" and not rest.startswith("/"):
        raise ConfigError(
            "url of a SQLite file takes three slashes for a relative path (sqlite:///app.db), four for an absolute one"
        )
    path = unquote(rest.removeprefix("/"))
    pool, flags = _options(query)
    return {"db_type": "sqlite", "sqlite_path": path or ":memory:", "pool": pool, **flags}


def _postgres_arguments(url: str) -> dict[str, Any]:
    parts = None
    with suppress(ValueError):  # its message may show the password, so it is not even kept as the context
        parts = urlsplit(url)
    if parts is None:
        raise ConfigError("url has a malformed host: an IPv6 address stands in brackets")
    if "@" not in parts.netloc and "@" in parts.path:
        raise ConfigError("url has a '/' before its '@': in a password it is written %2F")
    if parts.fragment:
        raise ConfigError("url has a '#': in a password it is written %23")
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    host, port = _host_and_port(hosts)
    pool, flags = _options(parts.query)
    if user:
        pool.setdefault("user", unquote(user))
    if password:
        pool.setdefault("password", unquote(password))
    if host:
        pool.setdefault("host", unquote(host))
    if port:
        if not (port.isascii() and port.isdigit()):  # not shown: without an '@' it is a password's place
            raise ConfigError("url has a port that is no number: it must be an integer from 1 to 65535")
        pool.setdefault("port", int(port))
    if len(parts.path) > 1:
        pool.setdefault("database", unquote(parts.path[1:]))
    return {"db_type": "postgresql", "pool": pool, **flags}


def _host_and_port(hosts: str) -> tuple[str, str]:
    """One host and its port, taken apart; several hosts, or a bare IPv6 address, are left whole to `PoolConfig`."""
    if hosts.startswith("[") and "," not in hosts:
        address, _, port = hosts[1:].partition("]")
        return address, port.removeprefix(":")
    if hosts.count(":") == 1 and "," not in hosts:
        host, _, port = hosts.partition(":")
        return host, port
    return hosts, ""


def _options(query: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options after the ``?``: those of `PoolConfig`, and the flags of `DatabaseConfig`."""
    pool: dict[str, Any] = {}
    flags: dict[str, Any] = {}
    for given, text in parse_qsl(query, keep_blank_values=True):
        name = _URL_ALIASES.get(given, given)
        if name in pool or name in flags:
            raise ConfigError(f"url gives {given} twice")
        if name not in _POOL_OPTIONS and name not in _DATABASE_FLAGS:
            known = ", ".join(sorted((_POOL_OPTIONS | _DATABASE_FLAGS) - {"password"}))
            # A password with a '?' in it ends up here.
            shown = "(not shown: in a password '?' is written %3F)" if "@" in query else repr(given)
            raise ConfigError(f"url has an unknown option {shown}; known are {known}")
        (pool if name in _POOL_OPTIONS else flags)[name] = _typed(name, given, text)
    return pool, flags


def _typed(name: str, shown: str, text: str) -> Any:
    """`text` as the type that field `name` wants; `shown` is what the user called it."""
    plain = text.strip()
    if name in _INTEGERS:
        if not (plain.isascii() and plain.removeprefix("-").isdigit()):
            accepts = "an integer from 1 to 65535" if name == "port" else "an integer"
            raise ConfigError(f"{shown} must be {accepts}, not {text!r}")
        return int(plain)
    if name in _SECONDS:
        try:
            return float(plain)
        except ValueError:
            raise ConfigError(f"{shown} must be a number of seconds, not {text!r}") from None
    if name in _FLAGS or name in _DATABASE_FLAGS:
        return _flag(shown, text)
    return text


def _flag(name: str, text: str) -> bool:
    if text.strip().lower() in _TRUE:
        return True
    if text.strip().lower() in _FALSE:
        return False
    raise ConfigError(f"{name} must be true or false, not {text!r}")


def config_arguments_from_env(environ: Mapping[str, str]) -> dict[str, Any]:
    """The arguments that the environment spells out, first match wins; a variable of blanks is one that is not set."""
    if not isinstance(environ, Mapping) or not all(isinstance(value, str) for value in environ.values()):
        raise ConfigError("environ must be a mapping of names to text, as os.environ is")
    environ = {name: value for name, value in environ.items() if value.strip()}
    if environ.get("DATABASE_URL"):
        arguments = config_arguments_from_url(environ["DATABASE_URL"])
    elif environ.get("DB_TYPE"):
        arguments = _from_db_variables(environ)
    elif _flag("USE_POSTGRES", environ.get("USE_POSTGRES", "")):
        arguments = _from_pg_variables(environ)
    else:
        arguments = {"db_type": "sqlite"}
        if environ.get("DB_DATABASE"):
            arguments["sqlite_path"] = environ["DB_DATABASE"]
    for field in ("logging", "synchronize"):
        variable = f"DB_{field.upper()}"
        if environ.get(variable):
            arguments[field] = _flag(variable, environ[variable])
    return arguments


def _from_db_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    kind = environ["DB_TYPE"].strip().lower()
    name = environ.get("DB_NAME") or environ.get("DB_DATABASE")
    if kind in ("sqlite", "sqlite3"):
        path = environ.get("DB_DATABASE") or environ.get("DB_NAME")
        return {"db_type": "sqlite", **({"sqlite_path": path} if path else {})}
    if kind not in ("postgres", "postgresql"):
        raise ConfigError(f"DB_TYPE must be sqlite, postgres or postgresql, not {environ['DB_TYPE']!r}")
    pool = _pool_from(
        environ, {"host": "DB_HOST", "port": "DB_PORT", "user": "DB_USER", "password": "DB_PASSWORD"}
    )
    if name:
        pool["database"] = name
    arguments: dict[str, Any] = {"db_type": "postgresql", "pool": pool}
    ssl = environ.get("DB_SSL", "").strip().lower()
    if ssl == "no-verify":
        pool["sslmode"] = "require"
        arguments["unverified_tls"] = True
    elif ssl not in _TRUE + _FALSE:
        raise ConfigError(f"DB_SSL must be true, false or no-verify, not {environ['DB_SSL']!r}")
    elif ssl in _TRUE:
        pool["sslmode"] = "verify-full"
    return arguments


def _from_pg_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "database": "PGDATABASE",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "sslmode": "PGSSLMODE",
        "read_hosts": "PGREAD_HOST",
    }
    return {"db_type": "postgresql", "pool": _pool_from(environ, names)}


def _pool_from(environ: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Any]:
    return {
        field: _typed(field, variable, environ[variable])
        for field, variable in names.items()
        if environ.get(variable)
    }
