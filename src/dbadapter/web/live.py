"""The live page: one answer with everything in it, so that it works without a build step or the internet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from starlette.responses import HTMLResponse

__all__ = ["live_page"]


def live_page(status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """The page. It holds no data: it asks the other endpoints for them, with the token that its user types."""
    html, policy = _page()
    return HTMLResponse(html, status, {**(headers or {}), "content-security-policy": policy})


@cache
def _page() -> tuple[str, str]:
    """The page with its style and script inside, and the policy under which nothing else runs or is fetched."""
    parts = {name: resources.files(__package__).joinpath("page", name).read_text("utf-8") for name in _PARTS}
    html, style, script = (parts[name] for name in _PARTS)
    page = html.replace("/*style*/", style).replace("/*script*/", script)
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


_PARTS = ("live.html", "live.css", "live.js")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
