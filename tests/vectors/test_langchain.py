"""The LangChain store: LangChain's own standard tests on both backends, and what they leave out."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig
from dbadapter.errors import ConfigError, DatabaseAdapterError

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other packages warn of when imported is not ours
        from langchain_core.documents import Document
        from langchain_tests.integration_tests import VectorStoreIntegrationTests
except ImportError:
    pytest.skip("missing: langchain-tests (pip install langchain-tests)", allow_module_level=True)

from dbadapter.integrations.langchain import AdapterVectorStore

DOCUMENTS = [
    Document(id="1", page_content="red apple", metadata={"kind": "fruit", "n": 1}),
    Document(id="2", page_content="green pear", metadata={"kind": "fruit", "n": 2}),
    Document(id="3", page_content="blue car", metadata={"kind": "thing", "n": 3}),
]


def new_store(adapter: Any) -> AdapterVectorStore:
    """A store with LangChain's test embedding."""
    return AdapterVectorStore(adapter, embedding=VectorStoreIntegrationTests.get_embeddings())


class TestStandard(VectorStoreIntegrationTests):  # type: ignore[misc]
    """LangChain's standard tests on the sync adapter, their async half in threads."""

    @pytest.fixture
    def vectorstore(self, sync_adapter: DatabaseAdapter) -> Iterator[AdapterVectorStore]:  # type: ignore[override]
        """An empty store."""
        return new_store(sync_adapter)


def asynchronous_half(suite: type) -> type:
    """The suite without its synchronous tests, which would only skip themselves."""
    tests = [name for name in dir(suite) if name.startswith("test_")]
    others = [name for name in tests if not inspect.iscoroutinefunction(getattr(suite, name))]
    assert 0 < len(others) < len(tests)
    return type(suite.__name__, (suite,), dict.fromkeys(others))


class TestStandardAsync(asynchronous_half(VectorStoreIntegrationTests)):  # type: ignore[misc]
    """The asynchronous half of LangChain's standard tests on the async adapter."""

    @pytest.fixture
    async def vectorstore(self, config: DatabaseConfig) -> AsyncIterator[AdapterVectorStore]:
        """An empty store, in the test's event loop."""
        async with AsyncDatabaseAdapter(config) as adapter:
            yield new_store(adapter)


def test_searches_take_filters_and_give_scores(sync_adapter: DatabaseAdapter) -> None:
    """Filters are Chroma's, scores are distances, relevance is similarity, a retriever works."""
    store = new_store(sync_adapter)
    store.add_documents(DOCUMENTS)
    first, score = store.similarity_search_with_score("red apple", k=1)[0]
    assert (first, score) == (DOCUMENTS[0], 0.0)
    assert {each.id for each in store.similarity_search("x", filter={"kind": "fruit"})} == {"1", "2"}
    assert [each.id for each in store.similarity_search("x", where_document={"$contains": "car"})] == ["3"]
    ((document, relevance),) = store.similarity_search_with_relevance_scores("blue car", k=1)
    assert (document.id, relevance) == ("3", 1.0)
    diverse = store.max_marginal_relevance_search("red apple", k=2, fetch_k=3)
    assert diverse[0].id == "1"
    assert len(diverse) == 2
    retriever = store.as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.99, "k": 3}
    )
    assert [each.id for each in retriever.invoke("green pear")] == ["2"]


def test_adding_again_replaces_metadata_and_all(sync_adapter: DatabaseAdapter) -> None:
    """A document put in another's place leaves nothing of it."""
    store = new_store(sync_adapter)
    store.add_documents(DOCUMENTS)
    store.add_documents([Document(id="1", page_content="new", metadata={"other": True})])
    assert store.get_by_ids(["1"]) == [Document(id="1", page_content="new", metadata={"other": True})]


async def test_an_async_store_says_what_to_use(config: DatabaseConfig) -> None:
    """Synchronous methods on an async adapter, a missing adapter and unknown arguments are errors."""
    async with AsyncDatabaseAdapter(config) as adapter:
        store = new_store(adapter)
        await store.aadd_documents(DOCUMENTS)
        assert [each.id for each in await store.amax_marginal_relevance_search("blue car", k=1)] == ["3"]
        with pytest.raises(ConfigError, match="asynchronous"):
            store.similarity_search("x")
        with pytest.raises(TypeError, match="colour"):
            await store.asimilarity_search("x", colour="red")
        with pytest.raises(ConfigError, match="adapter="):
            AdapterVectorStore.from_texts(["a"], store.embeddings)
        with pytest.raises(DatabaseAdapterError):
            await store.adelete()
        await store.adelete_collection()
        assert await adapter.vectors.count_collections() == 0


def test_a_store_is_made_of_texts(sync_adapter: DatabaseAdapter) -> None:
    """from_texts adds them; metadata may be empty, ids are made up."""
    embedding = VectorStoreIntegrationTests.get_embeddings()
    store = AdapterVectorStore.from_texts(
        ["a", "b"], embedding, [{}, {"k": 1}], adapter=sync_adapter, collection_name="mine", metric="l2"
    )
    (found,) = store.similarity_search("b", k=1)
    assert found.metadata == {"k": 1}
    assert sync_adapter.vectors.get_collection("mine").metric == "l2"


def test_what_is_no_adapter() -> None:
    """A store on anything else is refused at once, not when it is first used."""
    with pytest.raises(ConfigError, match="adapter must be an open adapter, not str"):
        new_store("app.db")
