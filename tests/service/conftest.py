"""A server of each front, for the tests of a module to share; every test has its own customers.

And a fake server with either client, for tests of clients.
"""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from quotad.client import AsyncClient, Client
from tests.running import FRONTS, Running, running
from tests.service.either import Either
from tests.service.fake_quotad import FakeServer, fake_server


@pytest.fixture(scope="module", params=FRONTS)
def served(request: pytest.FixtureRequest, store_url: str) -> Iterator[Running]:
    """A server without a catalog; the module publishes what it needs."""
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}", request.param) as made:
        yield made


@pytest.fixture
def customer() -> str:
    """A customer that no other test uses."""
    return f"c-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fake server, for tests of clients."""
    with fake_server() as running:
        yield running


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "asyncio"])
async def client(request: pytest.FixtureRequest, server: FakeServer) -> AsyncIterator[Either]:
    """Each of the two clients on the fake server."""
    either = Either(request.param, server.address)
    yield either
    await either.close()
