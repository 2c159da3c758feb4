"""WatchEntitlements, on every front."""

from quotad.v1 import quota_pb2 as pb
from tests.running import CALL_S, Running

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 100}}}}
"""


def test_a_stream_tells_of_writes_and_publishes(served: Running, customer: str) -> None:
    served.publish_and_wait(CATALOG)
    request = pb.WatchEntitlementsRequest(customer_id=customer)
    stream = served.quota.WatchEntitlements(request, timeout=CALL_S)

    first = next(stream)
    written = served.provision(customer, "free")
    told = next(stream)
    version = served.publish(CATALOG.replace("100", "101")).version.version
    published = next(stream)
    stream.cancel()

    assert pb.CHANGE_KIND_REFETCH == first.kind
    assert (pb.CHANGE_KIND_CUSTOMER_CHANGED, customer) == (told.kind, told.customer_id)
    assert written.epoch == told.epoch
    assert (pb.CHANGE_KIND_CATALOG_CHANGED, version) == (published.kind, published.catalog_version)
