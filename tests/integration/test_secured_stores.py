"""A cluster that asks for certificates, users and passwords; the rights of the docs are enough."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from quotad.errors import ConfigError, StoreUnavailable
from quotad.store import Store
from quotad.valkey_cluster import ClusterNode, PrivateCluster
from tests.fake_store import CERTIFICATE
from tests.integration.stage import CATALOG, PREFIX, SHARDS, Stage
from tests.rights import ON_A_CLUSTER, rights
from tests.running import eventually, running
from tests.tls_front import tls_front

FILES = f"ssl_ca_certs={CERTIFICATE}&ssl_certfile={CERTIFICATE}"


@pytest.fixture(scope="module")
def secured() -> Iterator[list[int]]:
    """Nodes that let clients find them by a name, and at a port that speaks TLS."""
    with (
        tempfile.TemporaryDirectory(prefix="quotad-test-") as directory,
        PrivateCluster(
            Path(directory),
            Path(directory) / "n",
            3,
            **{"cluster-announce-hostname": "localhost"},
            **{"cluster-preferred-endpoint-type": "hostname"},
        ) as cluster,
        ExitStack() as fronts,
    ):
        ports = [fronts.enter_context(tls_front(node.socket_path)) for node in cluster.nodes]
        for node, port in zip(cluster.nodes, ports, strict=True):
            node.command(f"CONFIG SET cluster-announce-port {port}")
            rules = rights(f"{PREFIX}:", ON_A_CLUSTER)
            assert "+OK" in node.command(f"ACL SETUSER quotad on >s3cret {rules}")
        for node in cluster.nodes:
            eventually(partial(known, node), lambda found: set(ports) <= found)
        yield ports


def known(node: ClusterNode) -> set[int]:
    """The ports at which a node lets clients find others."""
    return {int(port) for port in re.findall(r":(\d+)@", node.command("CLUSTER NODES"))}


def test_a_cluster_is_used_over_tls_by_a_user_with_few_rights(secured: list[int]) -> None:
    hosts = ",".join(f"localhost:{port}" for port in secured[:2])
    url = f"rediss+cluster://quotad:s3cret@{hosts}?{FILES}"
    with running(url, PREFIX, shards=SHARDS) as server:
        server.publish_and_wait(CATALOG)
        customers = Stage(PrivateCluster(Path(), Path(), 3), server)
        assert set() == customers.batch(list(customers.names.values()))
        nodes = server.server._parts.store._router.nodes
        assert {("localhost", port) for port in secured} == {
            (node.address.host, node.address.port) for node in nodes
        }


@pytest.mark.parametrize(
    ("user", "files", "why"),
    [
        ("quotad:wrong", FILES, "invalid username-password pair"),
        ("quotad:s3cret", f"ssl_ca_certs={CERTIFICATE}", "is not available"),
        ("quotad:s3cret", f"ssl_certfile={CERTIFICATE}", "certificate verify failed"),
    ],
)
def test_a_cluster_that_lets_a_server_not_in_is_named_with_the_reason(
    secured: list[int], user: str, files: str, why: str
) -> None:
    url = f"rediss+cluster://{user}@localhost:{secured[0]}?{files}"
    with closing(Store(url, timeout_ms=5000)) as store, pytest.raises(StoreUnavailable, match=why):
        store.check_kind()


def test_a_node_of_it_is_no_single_server(secured: list[int]) -> None:
    url = f"rediss://quotad:s3cret@localhost:{secured[0]}?{FILES}"
    with closing(Store(url, timeout_ms=5000)) as store, pytest.raises(ConfigError, match="cluster"):
        store.check_kind()
