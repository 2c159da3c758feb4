"""A store that is put back to a backup while servers run: all is again as it was then."""

import shutil

import grpc

from tests.integration.own_store import own_store
from tests.running import Running, eventually, running


def plans(free: int, pro: int) -> str:
    return f"""
version: 1
default_plan: free
features: {{calls: {{type: metered}}}}
plans:
  free: {{entitlements: {{calls: {{limit: {free}}}}}}}
  pro: {{entitlements: {{calls: {{limit: {pro}}}}}}}
"""


def limit(server: Running) -> int:
    """What the customer's limit is; 0: there is no answer."""
    try:
        return int(server.consume("acme", "calls", mode=3).limit)
    except grpc.RpcError:
        return 0


def test_servers_go_on_with_what_a_restored_store_has(prefix: str) -> None:
    with own_store() as store:
        store.start()
        data = store._directory / "data" / "dump.rdb"
        with running(store.url, prefix) as server:
            server.publish_and_wait(plans(10, 100))
            server.provision("acme", "free")
            assert 3 == server.consume("acme", "calls", quantity=3, idempotency_key="k").used
            store.client.save()
            shutil.copy(data, data.parent.parent / "backup.rdb")
            server.publish(plans(20, 200))
            server.provision("acme", "pro")
            assert 8 == server.consume("acme", "calls", quantity=5).used
            assert 200 == limit(server)

            store.stop()
            shutil.copy(data.parent.parent / "backup.rdb", data)
            store.start()

            eventually(lambda: limit(server), lambda found: found == 10)
            again = server.consume("acme", "calls", quantity=3, idempotency_key="k")
            assert (True, 3, 1) == (again.replayed, again.used, again.catalog_version)
            server.provision("acme", "pro")
            assert 100 == limit(server)
            assert 2 == server.publish(plans(30, 300)).version.version
            assert 300 == limit(server)
