"""Node for the tests of a module to share, and a fake server."""

from collections.abc import Iterator

import pytest

from tests.clients.node import Node, starting_node
from tests.service.fake_quotad import FakeServer, fake_server


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with starting_node() as started:
        yield started


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as running:
        yield running
