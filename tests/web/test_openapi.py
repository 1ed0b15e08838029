"""The interface is what its OpenAPI document says, whatever is asked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from starlette.applications import Starlette

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.web import create_app
from dbadapter.web.document import openapi_document

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # those of its own imports
    schemathesis = pytest.importorskip("schemathesis")

PATHS = sorted(openapi_document("")["paths"])
SECRET = "tok-fuzz-secret"


@pytest.fixture(scope="module")
def app(filled: DatabaseConfig) -> Iterator[Starlette]:
    """An app with a token on each backend."""
    with ExitStack() as stack:
        yield create_app(stack.enter_context(DatabaseAdapter(filled)), token=SECRET)


@pytest.fixture(scope="module")
def document(app: Starlette) -> Any:
    """Its document, read over HTTP."""
    return schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Authorization": f"Bearer {SECRET}"})


def test_every_endpoint_is_documented(document: Any) -> None:
    """What the app answers and what the document describes are the same paths."""
    assert sorted(document.raw_schema["paths"]) == PATHS
    assert "/tables/{name}/rows" in PATHS


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.filterwarnings("default")
def test_any_question_gets_a_documented_answer(document: Any, path: str) -> None:
    """No question, valid or not, gives a 500, an undocumented code or body, or the token."""
    operation = document[path]["GET"]

    @hypothesis.settings(max_examples=40)
    @hypothesis.given(data=st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        if "name" in case.path_parameters and data.draw(st.booleans()):
            case.path_parameters["name"] = "things"
        if "/rows" in path and data.draw(st.booleans()):
            column = data.draw(
                st.sampled_from(["id", "name", "price", "is_new", "made_at", "tag", "extra", "raw"])
            )
            case.query = {
                **(case.query or {}),
                column: data.draw(st.text(max_size=20) | st.floats().map(str)),
            }
        authorization = {"Authorization": f"Bearer {data.draw(st.sampled_from([SECRET, 'wrong']))}"}
        response = case.call(headers=authorization)
        # A filter may name no column of the table, which no document can know beforehand.
        unknowable = [schemathesis.checks.CHECKS.get_one(name) for name in _NOT_FROM_THE_DOCUMENT]
        case.validate_response(response, excluded_checks=unknowable, headers=authorization)
        assert response.status_code != 500
        assert SECRET not in response.text
        assert "Traceback" not in response.text

    ask()


_NOT_FROM_THE_DOCUMENT = ("positive_data_acceptance", "negative_data_rejection", "ignored_auth")
