"""Operators see how many reservations, leases and slots are open."""

from typing import Any

from quotad.v1 import quota_pb2 as pb
from tests.running import CALL_S, running

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  jobs: {type: metered, kind: concurrency}
plans: {free: {entitlements: {calls: {limit: 1000, per: year}, jobs: {limit: 5}}}}
"""


def test_what_is_open_is_counted_until_it_comes_back(store_url: str, prefix: str) -> None:
    with running(store_url, prefix) as server:
        server.publish_and_wait(CATALOG)
        quota = server.quota
        acme: dict[str, Any] = {"customer_id": "acme"}

        def seen() -> list[int]:
            metrics = server.server.metrics
            return [*metrics.named(metrics.values())["quotad_outstanding"].values()]

        reserve = pb.ReserveRequest(feature_id="calls", reservation_id="r", **acme)
        assert quota.Reserve(reserve, timeout=CALL_S).decision.allowed
        quota.Extend(pb.ExtendRequest(reservation_id="r", **acme), timeout=CALL_S)
        lease = pb.AcquireLeaseRequest(feature_id="calls", quantity=10, lease_id="l", **acme)
        assert 10 == quota.AcquireLease(lease, timeout=CALL_S).granted
        for slot in ("s", "t"):
            acquire = pb.AcquireSlotRequest(feature_id="jobs", slot_id=slot, **acme)
            assert quota.AcquireSlot(acquire, timeout=CALL_S).decision.allowed
            quota.Heartbeat(pb.HeartbeatRequest(slot_id=slot, **acme), timeout=CALL_S)
        assert [1, 1, 2] == seen()

        quota.Commit(pb.CommitRequest(reservation_id="r", **acme), timeout=CALL_S)
        quota.ReleaseLease(pb.ReleaseLeaseRequest(lease_id="l", **acme), timeout=CALL_S)
        quota.ReleaseSlot(pb.ReleaseSlotRequest(slot_id="s", **acme), timeout=CALL_S)
        assert [0, 0, 1] == seen()
