"""A server of each front, for the tests of a module to share; every test has its own customers.

And a fake server with either client and the command line, for tests of those.
"""

import time
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from typer.testing import CliRunner, Result

from quotad.client import AsyncClient, Client
from tests.running import FRONTS, Running, running
from tests.service.command_line import Run
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


@pytest.fixture
def quotad(server: FakeServer) -> Run:
    """Run `quotad` in this process against the fake server."""
    from quotad.cli.app import app

    def run(*args: str, **env: str) -> Result:
        environment = {"QUOTAD_SERVER": server.address, "COLUMNS": "200", **env}
        return CliRunner().invoke(app, list(args), env=environment)

    return run


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
