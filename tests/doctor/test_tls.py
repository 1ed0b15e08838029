"""TLS that is missing, or whose certificate is not to be trusted."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from dbadapter import DatabaseConfig, PoolConfig
from dbadapter.doctor import diagnose
from dbadapter.doctor.port import Answer
from dbadapter.doctor.tls import check_tls
from tests.doctor.conftest import codes, with_pool
from tests.pgbouncer import running_pgbouncer

AUTHORITY = trustme.CA()
OTHER_AUTHORITY = trustme.CA()


@pytest.fixture
def root(tmp_path: Path) -> str:
    """The file of the authority."""
    path = tmp_path / "root.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return str(path)


@contextmanager
def showing(certificate: trustme.LeafCert, server: DatabaseConfig) -> Iterator[DatabaseConfig]:
    """A PgBouncer with a certificate, in front of a server that has no TLS itself."""
    with tempfile.TemporaryDirectory(prefix="tls-") as directory:
        Path(directory).chmod(0o755)  # root's bouncer runs as another user
        key, chain = Path(directory, "key.pem"), Path(directory, "chain.pem")
        certificate.private_key_pem.write_to_path(key)
        certificate.cert_chain_pems[0].write_to_path(chain)
        key.chmod(0o644)
        tls = {
            "client_tls_sslmode": "allow",
            "client_tls_key_file": str(key),
            "client_tls_cert_file": str(chain),
        }
        with running_pgbouncer(server, settings=tls) as bouncer:
            yield bouncer.config(server)


def tls_codes(config: DatabaseConfig, **pool: object) -> list[str]:
    """What is found about TLS."""
    checked = with_pool(config, **{"sslmode": "verify-full", **pool})
    return [code for code in codes(checked) if code.startswith("tls")]


def test_tls_is_not_offered(postgres_database: DatabaseConfig) -> None:
    """A server without TLS, where the config insists on it."""
    assert codes(with_pool(postgres_database, sslmode="require")) == ("tls-not-offered",)
    assert codes(with_pool(postgres_database, sslmode="verify-full")) == ("tls-not-offered",)


def test_a_good_certificate(postgres_database: DatabaseConfig, root: str) -> None:
    """A certificate of the trusted authority for the right address is as it should be, and logging in works."""
    with showing(AUTHORITY.issue_cert("127.0.0.1"), postgres_database) as config:
        report = diagnose(with_pool(config, sslmode="verify-full", sslrootcert=root))
    assert report.healthy
    assert {"tls", "login"} <= {finding.code for finding in report.findings}


def test_an_unknown_authority(postgres_database: DatabaseConfig, root: str) -> None:
    """A certificate that another authority has issued, or that this machine knows nothing of."""
    with showing(OTHER_AUTHORITY.issue_cert("127.0.0.1"), postgres_database) as config:
        assert tls_codes(config, sslrootcert=root) == ["tls-unknown-issuer"]
        assert tls_codes(config, sslrootcert="system") == ["tls-unknown-issuer"]


def test_a_wrong_name(postgres_database: DatabaseConfig, root: str) -> None:
    """A certificate for another host; with verify-ca the name does not matter."""
    with showing(AUTHORITY.issue_cert("db.example.org"), postgres_database) as config:
        assert tls_codes(config, sslrootcert=root) == ["tls-wrong-name"]
        assert tls_codes(config, sslrootcert=root, sslmode="verify-ca") == []


def test_an_expired_certificate(postgres_database: DatabaseConfig, root: str) -> None:
    """A certificate whose time is over."""
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    with showing(AUTHORITY.issue_cert("127.0.0.1", not_after=past), postgres_database) as config:
        assert tls_codes(config, sslrootcert=root) == ["tls-expired"]


def test_a_certificate_whose_time_has_not_come(postgres_database: DatabaseConfig, root: str) -> None:
    """A certificate from the future: its date or a clock is wrong."""
    future = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)
    later = AUTHORITY.issue_cert("127.0.0.1", not_before=future, not_after=future.replace(year=2091))
    with showing(later, postgres_database) as config:
        assert tls_codes(config, sslrootcert=root) == ["tls-not-yet-valid"]


def test_a_file_of_authorities_that_is_none(postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """A file of authorities that is not there, or holds no certificates."""
    (tmp_path / "empty.pem").write_text("no certificate")
    with showing(AUTHORITY.issue_cert("127.0.0.1"), postgres_database) as config:
        for name in ("missing.pem", "empty.pem"):
            assert tls_codes(config, sslrootcert=str(tmp_path / name)) == ["tls-root-unreadable"]


def test_no_authority_at_all(
    postgres_database: DatabaseConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """verify-ca with nothing to verify with."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    with showing(AUTHORITY.issue_cert("127.0.0.1"), postgres_database) as config:
        assert tls_codes(config, sslmode="verify-ca") == ["tls-no-root"]


@pytest.mark.parametrize(
    ("mode", "offers", "expected"),
    [
        ("prefer", True, ["tls-unverified"]),
        ("require", True, ["tls-unverified"]),
        ("prefer", False, ["tls-none"]),
        ("disable", True, ["tls-none"]),
        ("require", False, ["tls-not-offered"]),
    ],
)
def test_a_server_elsewhere_that_is_not_checked(mode: str, offers: bool, expected: list[str]) -> None:
    """To another machine, TLS that is missing or checks nobody is worth a word; on this one it is not."""
    pool = PoolConfig(host="db.example.org", sslmode=mode)
    assert [
        f.code for f in check_tls("db.example.org", 5432, pool, Answer(offers_tls=offers), 1.0)
    ] == expected
    if mode != "require" or offers:
        assert list(check_tls("127.0.0.1", 5432, pool, Answer(offers_tls=offers), 1.0)) == []
