"""What tests of clients share: Node, a server on the example catalog, and a fake one."""

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from quotad.client.admin import AdminClient, CatalogFile
from quotad.server.example import write_example_customers
from quotad.store import Store
from tests.clients.node import Node, starting_node
from tests.processes import EXAMPLES
from tests.running import running
from tests.service.fake_quotad import FakeServer, fake_server


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with starting_node() as started:
        yield started


@pytest.fixture(scope="module")
def example(store_url: str) -> Iterator[str]:
    """The address of a server on the example catalog and its customers."""
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        files = [CatalogFile(each.name, each.read_text()) for each in sorted(EXAMPLES.iterdir())]
        with AdminClient(made.server.address, timeout=20) as admin:
            admin.publish(files)
        made.wait_ready()
        with closing(Store(store_url, timeout_ms=5000)) as store:
            write_example_customers(store, made.keys)
        yield made.server.address


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as running:
        yield running
