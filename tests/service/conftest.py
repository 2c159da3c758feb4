"""A server of each front, for the tests of a module to share; every test has its own customers."""

import uuid
from collections.abc import Iterator

import pytest

from tests.running import FRONTS, Running, running


@pytest.fixture(scope="module", params=FRONTS)
def served(request: pytest.FixtureRequest, store_url: str) -> Iterator[Running]:
    """A server without a catalog; the module publishes what it needs."""
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}", request.param) as made:
        yield made


@pytest.fixture
def customer() -> str:
    """A customer that no other test uses."""
    return f"c-{uuid.uuid4().hex[:12]}"
