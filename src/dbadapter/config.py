"""Configuration: what to connect to and how, from arguments, a URL or the environment.

Values are checked when they are made; a `ConfigError` names the field and what it accepts. Passwords are kept out of
every ``repr``, message and log line.
"""

from __future__ import annotations

import enum
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from ._config_sources import config_arguments_from_env, config_arguments_from_url
from .errors import ConfigError

__all__ = ["DatabaseConfig", "DatabaseType", "InsecureTLSWarning", "PoolConfig"]

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LONGEST_WAIT = 2_000_000.0  # seconds, 23 days: Postgres and SQLite keep milliseconds in 32 bits
LONGEST_LIFE = 1_000_000_000.0  # seconds, 31 years
LOAD_BALANCING = ("least_busy", "round_robin", "random")

Password = str | Callable[[], str]


class InsecureTLSWarning(UserWarning):
    """TLS was asked for with the server's certificate left unchecked."""


class DatabaseType(enum.Enum):
    """The two backends."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def _database_type(value: DatabaseType | str) -> DatabaseType:
    if isinstance(value, DatabaseType):
        return value
    known = {"sqlite": DatabaseType.SQLITE, "sqlite3": DatabaseType.SQLITE}
    known |= dict.fromkeys(("postgres", "postgresql", "pg"), DatabaseType.POSTGRESQL)
    try:
        return known[value.lower()]
    except (KeyError, AttributeError):
        raise ConfigError(f"db_type must be 'sqlite' or 'postgresql', not {value!r}") from None


def _hosts(value: str | Iterable[str]) -> tuple[str, ...]:
    """The hosts of a list, or of text with commas between them."""
    if isinstance(value, str):
        value = value.split(",")
    hosts = list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(host, str) for host in hosts):
        raise ConfigError("read_hosts must be a list of host or host:port, or text with commas between them")
    return tuple(host.strip() for host in hosts if host.strip())


def _fail(name: str, accepts: str, value: object) -> None:
    raise ConfigError(f"{name} must be {accepts}, not {value!r}")


def _number(
    kind: type[int] | type[float],
    low: float,
    most: float = LONGEST_LIFE,
    *,
    exclusive: bool = False,
    optional: bool = False,
) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    bound = f"{'greater than' if exclusive else 'at least'} {low}"
    unit = "an integer" if kind is int else "a number of seconds"
    accepts = f"{unit} {bound} and at most {most:,.0f}{' or None' if optional else ''}"

    def check(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None and optional:
            return
        allowed = (int,) if kind is int else (int, float)
        # `not (a < b)` rather than `a >= b`, so that NaN is refused as well.
        fits = isinstance(value, allowed) and not isinstance(value, bool)
        if not fits or not (value > low if exclusive else value >= low) or value > most:
            _fail(attribute.name, accepts, value)

    return check


def _one_of(options: tuple[str, ...]) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in options:
            _fail(attribute.name, "one of " + ", ".join(options), value)

    return check


def _is_sendable(value: object) -> bool:
    """Whether libpq takes `value` as text. Its complaint about other text shows all arguments, also the password."""
    return (
        isinstance(value, str)
        and "\0" not in value
        and not any("\ud800" <= char <= "\udfff" for char in value)
    )


def _text(*, optional: bool = False, empty: bool = False) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None and optional:
            return
        if not _is_sendable(value) or not (value or empty):
            accepts = ("text" if empty else "text that is not empty,") + " without a NUL or lone surrogates"
            _fail(attribute.name, accepts + (", or None" if optional else ""), value)
        if "://" in value:  # a URL may hold a password, so it is not shown
            raise ConfigError(f"{attribute.name} must not be a URL: give that to DatabaseConfig.from_url")

    return check


def _flag(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, bool):
        _fail(attribute.name, "True or False", value)


def _port(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        _fail(attribute.name, "an integer from 1 to 65535", value)


def _password(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if _is_sendable(value) or value is None or callable(value):
        return
    raise ConfigError(
        f"{attribute.name} must be text without a NUL or lone surrogates, a function that returns it, or None"
    )


def _default_minimum(config: PoolConfig) -> int:
    """Two, or `max_connections` where that is less."""
    most = config.max_connections
    return min(2, most) if isinstance(most, int) else 2


@attrs.frozen(kw_only=True)
class PoolConfig:
    """Where the server is and how many connections to keep to it; SQLite uses the limits and time-outs too.

    Attributes:
        host: host name, address or socket directory; several, comma-separated, are tried for the primary.
        port: for hosts that name none.
        database: database name.
        user: role; None takes the operating system's user, as libpq does.
        password: the password, or a function called for each new connection (for rotated credentials).
        max_connections: opened at most, per node.
        min_connections: kept open, per node; 2, or `max_connections` where that is less.
        connection_timeout: seconds that a caller waits for a connection, and a connection attempt may take.
        idle_timeout: seconds after which an unused connection above the minimum is closed.
        max_lifetime: seconds after which a connection is replaced.
        max_waiting: callers that may queue for a connection; a further one gets `PoolExhausted` at once.
        statement_timeout: seconds that one statement may run.
        sslmode: as libpq defines it.
        sslrootcert: file of the certificate authority, or "system".
        application_name: shown in pg_stat_activity.
        read_hosts: replicas, each ``host`` or ``host:port``.
        load_balance: how a replica is chosen.
        max_replica_lag: seconds behind the primary from which on a replica serves no reads.
        pgbouncer: the server is a PgBouncer in transaction mode: no prepared statements, no session state.
        leak_threshold: seconds after which a connection still held is reported in the log.
    """

    host: str = attrs.field(default="localhost", validator=_text())
    port: int = attrs.field(default=5432, validator=_port)
    database: str = attrs.field(default="postgres", validator=_text())
    user: str | None = attrs.field(default=None, validator=_text(optional=True))
    password: Password | None = attrs.field(default=None, repr=False, validator=_password)
    max_connections: int = attrs.field(default=10, validator=_number(int, 1))
    min_connections: int = attrs.field(
        default=attrs.Factory(_default_minimum, takes_self=True), validator=_number(int, 0)
    )
    connection_timeout: float = attrs.field(
        default=30.0, validator=_number(float, 0, LONGEST_WAIT, exclusive=True)
    )
    idle_timeout: float = attrs.field(default=300.0, validator=_number(float, 0, exclusive=True))
    max_lifetime: float = attrs.field(default=3600.0, validator=_number(float, 0, exclusive=True))
    max_waiting: int | None = attrs.field(default=None, validator=_number(int, 0, optional=True))
    statement_timeout: float | None = attrs.field(
        default=None, validator=_number(float, 0, LONGEST_WAIT, exclusive=True, optional=True)
    )
    sslmode: str = attrs.field(default="prefer", validator=_one_of(SSL_MODES))
    sslrootcert: str | None = attrs.field(default=None, validator=_text(optional=True))
    application_name: str = attrs.field(default="dbadapter", validator=_text(empty=True))
    read_hosts: tuple[str, ...] = attrs.field(default=(), converter=_hosts)
    load_balance: str = attrs.field(default="least_busy", validator=_one_of(LOAD_BALANCING))
    max_replica_lag: float | None = attrs.field(default=None, validator=_number(float, 0, optional=True))
    pgbouncer: bool = attrs.field(default=False, validator=_flag)
    leak_threshold: float | None = attrs.field(
        default=None, validator=_number(float, 0, exclusive=True, optional=True)
    )

    def __attrs_post_init__(self) -> None:
        if self.min_connections > self.max_connections:
            raise ConfigError(
                f"min_connections must be at most max_connections ({self.max_connections}), "
                f"not {self.min_connections}"
            )
        # Malformed lists of hosts are refused here, not at connect: both properties raise `ConfigError`.
        if not self.primary_nodes:
            _fail("host", "host or host:port", self.host)
        self.read_nodes  # noqa: B018

    @property
    def primary_nodes(self) -> tuple[tuple[str, int], ...]:
        """The candidates for the primary as (host, port)."""
        return tuple(self._node("host", host) for host in _hosts(self.host))

    @property
    def read_nodes(self) -> tuple[tuple[str, int], ...]:
        """The replicas as (host, port)."""
        return tuple(self._node("read_hosts", host) for host in self.read_hosts)

    def _node(self, field: str, text: str) -> tuple[str, int]:
        """``host``, ``host:port``, ``[::1]:port``, a bare IPv6 address, or a socket directory."""
        if "@" in text or "://" in text:  # may hold a password, so it is not shown
            raise ConfigError(f"{field} must be host or host:port; a URL goes to DatabaseConfig.from_url()")
        if text.startswith("/"):
            directory, _, port = text.partition(":")
            host = directory
        elif text.startswith("["):
            host, _, port = text[1:].partition("]")
            port = port.removeprefix(":")
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
        else:
            host, port = text, ""
        if not host or (port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535)):
            _fail(field, "host or host:port with a port from 1 to 65535", text)
        return host, int(port) if port else self.port

    def current_password(self) -> str | None:
        """The password to connect with now. Raises `ConfigError` if the function for it gives none that can be sent."""
        if not callable(self.password):
            return self.password
        given = self.password()
        if given is not None and not _is_sendable(given):
            raise ConfigError("password() must return text without a NUL or lone surrogates")
        return given


def _sqlite_path(value: str | os.PathLike[str]) -> str:
    if not isinstance(value, (str, os.PathLike)) or not str(value) or "\0" in str(value):
        _fail("sqlite_path", "a file path or ':memory:'", value)
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        _fail("sqlite_path", "a path that the file system can hold", value)
    if "://" in str(value):  # a URL may hold a password, so it is not shown
        raise ConfigError("sqlite_path must not be a URL: give that to DatabaseConfig.from_url")
    return os.fspath(value)


def _pool_config(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, PoolConfig):
        _fail(attribute.name, "a PoolConfig", value)


@attrs.frozen(kw_only=True)
class DatabaseConfig:
    """Both backends of one app, and which of them to start on.

    Attributes:
        db_type: the backend in use at first.
        sqlite_path: the SQLite file; its directory is made when missing. ``":memory:"`` for a database in memory.
        pool: the Postgres server, and the pool limits for both backends.
        logging: log every statement (logger ``dbadapter.query``, level DEBUG).
        log_parameters: log the parameters too; off by default because they are the users' data.
        slow_query_seconds: statements that take longer are logged at level WARNING; None: none are.
        synchronize: make the tables of the adapter's schema that are missing on ``initialize()``.
        create_database: create the Postgres database on ``initialize()``, or in a switch to it, when it is missing.
    """

    db_type: DatabaseType = attrs.field(default=DatabaseType.SQLITE, converter=_database_type)
    sqlite_path: str = attrs.field(default="./data/app.db", converter=_sqlite_path)
    pool: PoolConfig = attrs.field(factory=PoolConfig, validator=_pool_config)
    logging: bool = attrs.field(default=False, validator=_flag)
    log_parameters: bool = attrs.field(default=False, validator=_flag)
    slow_query_seconds: float | None = attrs.field(default=None, validator=_number(float, 0, optional=True))
    synchronize: bool = attrs.field(default=False, validator=_flag)
    create_database: bool = attrs.field(default=False, validator=_flag)

    @classmethod
    def from_url(cls, url: str) -> DatabaseConfig:
        """A config from ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgresql://…?option=value``.

        The options are the fields of `PoolConfig`. Raises `ConfigError`; the message never shows the password.
        """
        return cls._from_arguments(config_arguments_from_url(url))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> DatabaseConfig:
        """A config from `environ` (default: ``os.environ``); the first of these that is set decides.

        ``DATABASE_URL``; ``DB_TYPE`` with the other ``DB_*``; ``USE_POSTGRES=true`` with ``PG*``; else SQLite.
        ``DB_LOGGING`` and ``DB_SYNCHRONIZE`` count in every case. Raises `ConfigError` naming the variable.
        """
        return cls._from_arguments(config_arguments_from_env(os.environ if environ is None else environ))

    @classmethod
    def _from_arguments(cls, arguments: dict[str, Any]) -> DatabaseConfig:
        if arguments.pop("unverified_tls", False):
            message = "DB_SSL=no-verify: the server's certificate is not checked, so anyone in between can read along"
            warnings.warn(message, InsecureTLSWarning, stacklevel=3)
        pool = PoolConfig(**arguments.pop("pool", {}))
        return cls(pool=pool, **arguments)
