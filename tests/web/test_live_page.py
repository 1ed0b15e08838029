"""The live page, in a real browser: it loads, moves, shows a switch and a dead node, and asks for a token."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.web import create_app
from tests.proxy import Proxy
from tests.servers import SETTINGS, TEMP_DIR
from tests.web.conftest import fill, serving

playwright = pytest.importorskip("playwright.sync_api")

PATIENCE = 60_000  # ms


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium without a window."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("missing: chromium is not installed (apt-get install chromium)")
    with playwright.sync_playwright() as started:
        # Chromium's own sandbox needs rights that containers and root lack; the page is ours.
        chromium = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page; an error in its script or a broken policy fails the test."""
    context = browser.new_context()
    made = context.new_page()
    made.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    yield made
    context.close()
    assert not complaints


@pytest.fixture
def filled_sqlite(sqlite_database: DatabaseConfig) -> DatabaseConfig:
    """An SQLite file with two tables."""
    fill(sqlite_database)
    return sqlite_database


def shows(page: Any, selector: str, text: Any) -> None:
    """Wait until an element has exactly this text, or one that a pattern matches."""
    playwright.expect(page.locator(selector)).to_have_text(text, timeout=PATIENCE)


def holds(page: Any, selector: str, text: str) -> None:
    """Wait until the text of an element holds this one."""
    playwright.expect(page.locator(selector)).to_contain_text(text, timeout=PATIENCE)


def appears(page: Any, selector: str) -> None:
    """Wait until an element is there and visible."""
    playwright.expect(page.locator(selector)).to_be_visible(timeout=PATIENCE)


def test_it_loads_and_moves(page: Any, filled_sqlite: DatabaseConfig) -> None:
    """The figures appear, the charts grow by themselves, and a connection held is shown with its place."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with DatabaseAdapter(attrs.evolve(filled_sqlite, slow_query_seconds=0.0)) as adapter:
        with serving(create_app(adapter)) as url:
            page.goto(url)
            shows(page, "#health", "healthy")
            assert page.inner_text("#backend") == "SQLite"
            assert page.inner_text("#place") == filled_sqlite.sqlite_path
            line = page.locator("#use-chart path.one")
            first = line.get_attribute("d", timeout=PATIENCE)
            playwright.expect(line).not_to_have_attribute("d", first, timeout=PATIENCE)
            with adapter.transaction() as tx:
                tx.fetch_all("SELECT 1 AS one_that_holds")
                holds(page, "#holders", "test_live_page.py")
                holds(page, "#use-now", "1 of")
                holds(page, "#slowest", "one_that_holds")
            shows(page, "#holders", "none")
            playwright.expect(page).to_have_title("dbadapter", timeout=PATIENCE)
            assert all(address.startswith((url, "data:")) for address in asked)


def test_it_pauses(page: Any, filled_sqlite: DatabaseConfig) -> None:
    """The keyboard alone stops the motion and starts it again."""
    with DatabaseAdapter(filled_sqlite) as adapter, serving(create_app(adapter)) as url:
        page.goto(url)
        shows(page, "#health", "healthy")
        page.keyboard.press("Tab")
        playwright.expect(page.locator("a.skip")).to_be_focused()
        page.keyboard.press("Tab")
        playwright.expect(page.locator("#pause")).to_be_focused()
        page.keyboard.press("Enter")
        shows(page, "#pause", "Go on")
        assert page.get_attribute("#pause", "aria-pressed") == "true"
        page.wait_for_load_state("networkidle")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(1500)  # longer than the page's period
        assert asked == []
        with page.expect_request("**/stats"):
            page.keyboard.press("Enter")


def test_it_shows_a_switch(page: Any, both: DatabaseConfig) -> None:
    """When the app changes its database, the page says from what to what, and goes on with the new one."""
    with DatabaseAdapter(both) as adapter, serving(create_app(adapter)) as url:
        page.goto(url)
        shows(page, "#backend", "SQLite")
        adapter.switch_database(DatabaseType.POSTGRESQL)
        shows(page, "#backend", "Postgres")
        holds(page, "#events", "switched from SQLite to Postgres")
        playwright.expect(page.locator("#use-chart line.mark")).to_have_count(1)


def test_it_shows_a_switch_under_way(page: Any, both: DatabaseConfig) -> None:
    """While a switch waits for work in flight, the page shows that one is under way."""
    with DatabaseAdapter(both) as adapter, serving(create_app(adapter)) as url:
        page.goto(url)
        shows(page, "#health", "healthy")
        assert page.is_hidden("#switch")
        with adapter.transaction() as tx:
            tx.fetch_value("SELECT 1")
            draining = threading.Event()
            switch = threading.Thread(
                target=adapter.switch_database,
                args=(DatabaseType.POSTGRESQL,),
                kwargs={"progress": lambda told: draining.set() if told["phase"] == "draining" else None},
            )
            switch.start()
            assert draining.wait(30)
            appears(page, "#switch")
            playwright.expect(page.locator("#switch-steps li")).to_have_count(7, timeout=PATIENCE)
        switch.join(30)
        playwright.expect(page.locator("#switch")).to_be_hidden(timeout=PATIENCE)


def test_it_shows_the_steps_of_a_move_and_the_way_back(page: Any, both: DatabaseConfig) -> None:
    """While data move the page tells the step; afterwards that the database left is kept up to date."""
    with DatabaseAdapter(both) as adapter, serving(create_app(adapter)) as url:
        adapter.execute("CREATE TABLE moved (id BIGINT PRIMARY KEY)")
        adapter.insert_many("moved", [(n,) for n in range(100)])
        page.goto(url)
        shows(page, "#health", "healthy")

        def tell(told: Any) -> None:
            if told["phase"] == "copying":
                shown.wait(30)

        shown = threading.Event()
        switch = threading.Thread(
            target=adapter.switch_database,
            args=(DatabaseType.POSTGRESQL,),
            kwargs={"carry_data": True, "follow_back": True, "progress": tell},
        )
        switch.start()
        try:
            shows(page, '#switch-steps li[aria-current="step"]', "copy")
            playwright.expect(page.locator('#switch-steps li[data-state="done"]')).to_have_count(2)
            holds(page, "#switch-figures", "moved")
        finally:
            shown.set()
            switch.join(60)
        shows(page, "#switch-title", "The database left is kept up to date, for the way back")
        holds(page, "#switch-figures", "lag seconds")
        assert page.is_hidden("#switch-steps")


@pytest.fixture
def cluster_of_its_own() -> Iterator[EmbeddedPostgres]:
    """A primary with two replicas that a test may kill."""
    with EmbeddedPostgres(replicas=2, settings=SETTINGS, temp_dir=TEMP_DIR) as server:
        yield server


def test_it_shows_a_dead_node(page: Any, cluster_of_its_own: EmbeddedPostgres) -> None:
    """A replica that dies is named with the reason, loses its lag, and is told of when it comes back."""
    config = cluster_of_its_own.config
    with DatabaseAdapter(config) as adapter, serving(create_app(adapter)) as url:
        page.goto(url)
        playwright.expect(page.locator("#nodes tr td.good")).to_have_count(3, timeout=PATIENCE)
        playwright.expect(page.locator("#lag-legend .key")).to_have_count(2, timeout=PATIENCE)
        dead = cluster_of_its_own.replicas[1]
        dead.kill()
        try:
            holds(page, "#nodes td.bad", "down")
            holds(page, "#nodes td.bad .why", str(dead.port))
            holds(page, "#alert", f"1 node is down: replica 127.0.0.1:{dead.port}")
            holds(page, "#events", f"replica 127.0.0.1:{dead.port} is down")
            assert page.inner_text("#health") != "no answer"
        finally:
            dead.start()
        playwright.expect(page.locator("#nodes tr td.good")).to_have_count(3, timeout=PATIENCE)
        playwright.expect(page.locator("#alert")).to_be_hidden(timeout=PATIENCE)
        holds(page, "#events", "is back")


def test_it_fits_a_narrow_screen(browser: Any, filled_sqlite: DatabaseConfig) -> None:
    """On a phone nothing is wider than the screen but tables, which scroll by themselves and can be focused."""
    context = browser.new_context(viewport={"width": 360, "height": 640})
    try:
        page = context.new_page()
        config = attrs.evolve(filled_sqlite, slow_query_seconds=0.0)
        with DatabaseAdapter(config) as adapter, serving(create_app(adapter)) as url:
            adapter.fetch_all(
                "SELECT id, name, price, is_new, made_at, tag FROM things WHERE name = 'a_long_name_indeed'"
            )
            page.goto(url)
            shows(page, "#health", "healthy")
            holds(page, "#slowest", "a_long_name_indeed")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            assert page.locator(".scroll[tabindex='0']").count() == page.locator("table").count()
    finally:
        context.close()


def test_it_shows_a_database_that_does_not_answer(
    page: Any, postgres_proxy: Proxy, postgres_database: DatabaseConfig
) -> None:
    """A hanging database is shown as unhealthy, by a word and in the title, while the figures go on."""
    config = postgres_proxy.config(postgres_database)
    with DatabaseAdapter(config) as adapter, serving(create_app(adapter)) as url:
        page.goto(url)
        shows(page, "#health", "healthy")
        postgres_proxy.stall()
        try:
            shows(page, "#health", "unhealthy")
            assert page.title().startswith("unhealthy")
            holds(page, "#events", "unhealthy")
        finally:
            postgres_proxy.resume()
        shows(page, "#health", "healthy")


def test_it_says_when_the_app_itself_is_gone(page: Any, filled_sqlite: DatabaseConfig) -> None:
    """Figures that are no longer new are not shown as if they were."""
    with DatabaseAdapter(filled_sqlite) as adapter:
        with serving(create_app(adapter)) as url:
            page.goto(url)
            shows(page, "#health", "healthy")
        holds(page, "#alert", "No answer from the app since")
        shows(page, "#health", "no answer")


def test_it_asks_for_the_token(page: Any, filled_sqlite: DatabaseConfig) -> None:
    """Without the token there is a field and no figures; a wrong one is refused, the right one is kept."""
    with DatabaseAdapter(filled_sqlite) as adapter, serving(create_app(adapter, token="right")) as url:
        page.goto(url)
        appears(page, "#sign-in")
        assert page.is_hidden("#main")
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        holds(page, "#sign-in-error", "not accepted")
        page.fill("#token", "right")
        page.keyboard.press("Enter")
        shows(page, "#health", "healthy")
        assert page.is_visible("#main")
        page.reload()
        shows(page, "#health", "healthy")
        assert page.is_hidden("#sign-in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(browser: Any, filled_sqlite: DatabaseConfig, scheme: str) -> None:
    """All text has a contrast of at least 4.5, in light and in dark; every control and chart has a name."""
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # so that the test may look around
    try:
        page = context.new_page()
        with DatabaseAdapter(filled_sqlite) as adapter, serving(create_app(adapter)) as url:
            page.goto(url)
            shows(page, "#health", "healthy")
            faults = page.evaluate(_FAULTS)
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert faults == []
        assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 22, 28)"}[scheme]
    finally:
        context.close()


# The contrast of the Web Content Accessibility Guidelines, and the names of controls, charts and sections.
_FAULTS = r"""() => {
  const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = (rgb) => {
    const [r, g, b] = rgb.match(/[\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (!color.endsWith(", 0)")) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const faults = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(e.tagName)) continue;
    if (!e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const ink = e instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faults.push(e.tagName + " " + e.textContent.slice(0, 30));
  }
  for (const e of document.querySelectorAll("[role=img], [role=region], section")) {
    const ids = (e.getAttribute("aria-labelledby") || "").split(" ");
    if (!ids.every((id) => document.getElementById(id))) faults.push("no name: " + e.id);
  }
  for (const e of document.querySelectorAll("input")) {
    if (!e.labels.length) faults.push("no label: " + e.id);
  }
  if (document.querySelectorAll("h1").length !== 1 || !document.documentElement.lang) faults.push("no h1");
  return faults;
}"""
