"""What the HTTP interface answers, over a sync and an async adapter, on both backends."""

from __future__ import annotations

import base64
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount

from dbadapter import DatabaseAdapter
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.web import create_app
from dbadapter.web.prometheus import exposition
from tests.servers import fresh_database
from tests.web.conftest import MOMENT, TAG, client_of

ODD = "odd %22name%22 %2F %C3%BC"


async def test_status_and_stats_are_the_adapters_own(client: httpx.AsyncClient, adapter: Any) -> None:
    """``status`` and ``stats`` hold what the adapter's methods of that name return."""
    status = (await client.get("/status")).json()
    assert status["db_type"] == adapter.db_type.value
    assert status["health"]["status"] == "healthy"
    stats = (await client.get("/stats")).json()
    assert stats["max"] == adapter.get_stats()["max"]
    assert {"active", "waiting", "wait_ms", "nodes", "holders", "slowest", "epoch"} <= stats.keys()


async def test_health_of_a_working_database(client: httpx.AsyncClient) -> None:
    """A database that answers is healthy, with code 200."""
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")


async def test_tables_are_listed_and_described(client: httpx.AsyncClient) -> None:
    """Tables come with their columns and keys, whatever their names."""
    assert (await client.get("/tables")).json() == {"tables": ['odd "name" / ü', "things"]}
    things = (await client.get("/tables/things")).json()
    assert things["primary_key"] == ["id"]
    assert [column["name"] for column in things["columns"]][:3] == ["id", "name", "price"]
    odd = (await client.get(f"/tables/{ODD}")).json()
    assert [column["name"] for column in odd["columns"]] == ["limit it", "where"]


async def test_rows_come_in_pages_in_the_order_of_the_key(client: httpx.AsyncClient) -> None:
    """``limit`` and ``offset`` cut pages, 100 rows where nothing is said, and ``more`` tells of the rest."""
    page = (await client.get("/tables/things/rows")).json()
    assert [row[0] for row in page["rows"]] == list(range(100))
    assert page["more"]
    last = (await client.get("/tables/things/rows?limit=60&offset=200")).json()
    assert [row[0] for row in last["rows"]] == list(range(200, 250))
    assert not last["more"]


async def test_a_value_that_json_lacks_is_text(client: httpx.AsyncClient) -> None:
    """Decimals, moments, UUIDs and bytes are text, and JSON columns are JSON."""
    page = (await client.get("/tables/things/rows?id=7")).json()
    row = dict(zip(page["columns"], page["rows"][0], strict=True))
    assert row["price"] == "1.75"
    assert row["is_new"] is False
    assert row["made_at"] == MOMENT.isoformat()
    assert row["tag"] == str(TAG)
    assert row["extra"] == {"n": [7]}
    assert base64.b64decode(row["raw"]) == b"\x07"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("id=7", [7]),
        ("name=thing 7", [7]),
        ("price=1.75", [7]),
        ("is_new=true&id=8", [8]),
        ("is_new=true&id=7", []),
        (f"tag={TAG}", [7]),
        ("made_at=2024-05-06T07:08:09Z&limit=2", [0, 1]),
        ("name=' OR 1=1 --", []),
        ("name=%25", []),
    ],
)
async def test_a_filter_is_a_value_of_its_columns_type(
    client: httpx.AsyncClient, query: str, expected: list[int]
) -> None:
    """COLUMN=VALUE finds the same rows on both backends, and a value is never anything but a value."""
    page = (await client.get(f"/tables/things/rows?{query}")).json()
    assert [row[0] for row in page["rows"]] == expected


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("things/rows?id=seven", "'seven' is no value of it"),
        ("things/rows?is_new=perhaps", "'perhaps' is no value of it"),
        ("things/rows?made_at=yesterday", "'yesterday' is no value of it"),
        ("things/rows?ID=7", "no column 'ID'"),
        ("things/rows?id%3D1%20OR%201=1", "no column"),
        ("things/rows?id=1&id=2", "id is given twice"),
        ("things/rows?extra=1", "cannot be compared"),
        ("things/rows?limit=0", "limit must be an integer from 1 to 1000"),
        ("things/rows?limit=1001", "limit must be an integer from 1 to 1000"),
        ("things/rows?limit=1_0", "limit must be"),
        ("things/rows?limit=%D9%A3", "limit must be"),
        ("things/rows?offset=-1", "offset must be"),
        ("things/rows?offset=9223372036854775808", "offset must be"),
        ("things/rows?id=99999999999999999999", "64 bits"),
        ("things/rows?name=a%00b", "NUL"),
    ],
)
async def test_a_wrong_question_is_refused_with_the_reason(
    client: httpx.AsyncClient, path: str, words: str
) -> None:
    """What cannot be asked gives 400 and says why."""
    answer = await client.get(f"/tables/{path}")
    assert answer.status_code == 400
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    "path", ["tables/nothing", "tables/nothing/rows", "tables/sqlite_master", "else", "health/"]
)
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    """Only listed tables and the named paths are there; the catalog's own tables are not."""
    answer = await client.get(f"/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]


async def test_odd_names_are_taken_literally(client: httpx.AsyncClient) -> None:
    """A table and columns with quotes, spaces and slashes are read, and what is in them does nothing."""
    page = (await client.get(f"/tables/{ODD}/rows?where='; DROP TABLE things; --")).json()
    assert page["rows"] == [[1, "'; DROP TABLE things; --"]]
    assert (await client.get("/tables/things")).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["health", "tables/things/rows", ""])
async def test_it_only_reads(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Every method that writes is refused."""
    assert (await client.request(method, f"/{path}")).status_code == 405


async def test_metrics_are_in_the_format_of_prometheus(client: httpx.AsyncClient, adapter: Any) -> None:
    """Its own parser reads them: each family has its help and type, each sample its labels and a number."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert len(families) > 15
    for family in families.values():
        assert family.name.startswith("dbadapter_")
        assert family.documentation
        assert family.type in ("counter", "gauge")
        for sample in family.samples:
            assert sample.labels["backend"] == adapter.db_type.value
            assert sample.name.endswith("_total") == (family.type == "counter")
    assert families["dbadapter_up"].samples[0].value == 1
    assert families["dbadapter_pool_requests"].samples[0].value > 0


async def test_metrics_of_replicas(postgres_cluster: EmbeddedPostgres) -> None:
    """Waits, evictions with their reasons, reads by server and each node's figures are those of get_stats()."""
    with ExitStack() as stack:
        config = stack.enter_context(fresh_database(postgres_cluster))
        postgres_cluster.wait_for_replicas()
        adapter = stack.enter_context(DatabaseAdapter(config))
        for _ in range(5):
            adapter.fetch_value("SELECT 1", consistency="eventual")
            adapter.fetch_value("SELECT 1", consistency="strong")
        with adapter.connection() as raw:
            raw.close()
        stats = adapter.get_stats()
        text = exposition(stats, adapter.health())
    found = {
        (
            sample.name.removeprefix("dbadapter_"),
            *sorted(set(sample.labels.values()) - {"postgresql"}),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert stats["recycled_reasons"] == {"broken": 1}
    assert found["pool_evictions_total", "broken"] == 1
    for server in ("primary", "replica"):
        assert found["pool_reads_total", server] == stats["reads"][server] >= 5
    for quantile, key in (("0.5", "p50"), ("0.95", "p95"), ("1", "max")):
        assert found["pool_wait_seconds", quantile] == stats["wait_ms"][key] / 1000
    assert len(stats["nodes"]) == 3
    for node in stats["nodes"]:
        labels = sorted((node["role"], f"{node['host']}:{node['port']}"))
        assert found["node_requests_total", *labels] == node["requests"]
        assert found["node_healthy", *labels] == 1
        assert found.get(("node_lag_seconds", *labels)) == node["lag_seconds"]


async def test_no_answer_is_kept_or_guessed_at(client: httpx.AsyncClient) -> None:
    """Answers hold an app's data: no cache keeps them, no browser guesses their type."""
    for path in ("health", "stats", "nothing", ""):
        headers = (await client.get(f"/{path}")).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


async def test_mounted_below_a_path(adapter: Any) -> None:
    """Mounted as a part of another app, the same paths are below the mount, and the document says so."""
    host = Starlette(routes=[Mount("/api/v1/db", create_app(adapter, token="secret"))])
    bearer = {"authorization": "Bearer secret"}
    async with client_of(host) as client:
        assert (await client.get("/api/v1/db/health")).status_code == 200
        assert (await client.get("/api/v1/db/tables")).status_code == 401
        assert (await client.get("/api/v1/db/tables", headers=bearer)).status_code == 200
        document = (await client.get("/api/v1/db/openapi.json", headers=bearer)).json()
        assert document["servers"] == [{"url": "/api/v1/db"}]
