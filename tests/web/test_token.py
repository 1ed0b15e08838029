"""Who is let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from dbadapter.errors import ConfigError
from dbadapter.web import create_app
from tests.web.conftest import client_of

PATHS = [
    "",
    "status",
    "stats",
    "tables",
    "tables/things",
    "tables/things/rows",
    "metrics",
    "openapi.json",
    "x",
]


@pytest.fixture
async def guarded(adapter: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token, of an app that wants one."""
    async with client_of(create_app(adapter, token="opensésame")) as made:
        yield made


@pytest.mark.parametrize("path", PATHS)
async def test_everything_but_health_wants_the_token(guarded: httpx.AsyncClient, path: str) -> None:
    """Without the token nothing is told, not even what there is; with it, everything is."""
    refused = await guarded.get(f"/{path}")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    right = await guarded.get(f"/{path}", headers={"authorization": b"Bearer opens\xc3\xa9same"})
    assert right.status_code == (404 if path == "x" else 200)


async def test_health_is_for_everyone(guarded: httpx.AsyncClient) -> None:
    """A load balancer has no token."""
    assert (await guarded.get("/health")).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer opensesame",
        b"Basic opens\xc3\xa9same",
        b"opens\xc3\xa9same",
        b"\xff\xff",
    ],
)
async def test_a_wrong_token_is_refused(guarded: httpx.AsyncClient, header: bytes) -> None:
    """Whatever is in the header, only the token lets in; and it is not shown back."""
    answer = await guarded.get("/stats", headers={"authorization": header})
    assert answer.status_code == 401
    assert "opens" not in answer.text


async def test_two_headers_are_refused(guarded: httpx.AsyncClient) -> None:
    """A proxy and we might not read the same one of two."""
    bearer = b"Bearer opens\xc3\xa9same"
    answer = await guarded.get("/stats", headers=[("authorization", bearer), ("authorization", bearer)])
    assert answer.status_code == 401


async def test_a_browser_is_asked_for_the_token(guarded: httpx.AsyncClient) -> None:
    """To a browser the refusal is the page itself: it holds no data, and a field for the token."""
    answer = await guarded.get("/", headers={"accept": "text/html,application/xhtml+xml"})
    assert answer.status_code == 401
    assert 'id="token"' in answer.text
    assert "things" not in answer.text


async def test_the_scheme_is_read_in_any_case(guarded: httpx.AsyncClient) -> None:
    """``bearer`` is as good as ``Bearer``, as the standard says."""
    answer = await guarded.get("/stats", headers={"authorization": b"bearer opens\xc3\xa9same"})
    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["", "  ", b"bytes", 5])
def test_an_empty_token_is_no_token(token: Any) -> None:
    """An app that was given an empty token, from an unset variable say, is not left open."""
    with pytest.raises(ConfigError, match="token"):
        create_app(None, token=token)  # type: ignore[arg-type]


def test_what_is_no_adapter() -> None:
    """It is refused when the app is made, not at the first request."""
    with pytest.raises(
        ConfigError, match="adapter must be a DatabaseAdapter or an AsyncDatabaseAdapter, not int"
    ):
        create_app(5)  # type: ignore[arg-type]
