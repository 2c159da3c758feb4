"""The end-of-run check: reads the counters and compares them with what users were allowed."""

from typing import Any

import gevent
import grpc
from gevent.pool import Pool

from loadtests.scenarios import ledger
from loadtests.scenarios.calls import Connection
from loadtests.scenarios.ledger import Counter, Counters, Ledger, Verdict
from quotad.v1 import quota_pb2 as pb

AT_ONCE = 16
TRIES = 5
PAUSE_S = 1.0
READ_S = 20.0
"""Deadline of one read: only a server that is gone meets it."""


def audit(connection: Connection, seen: Ledger) -> Verdict:
    """Compare a ledger with the counters that the server tells.

    Raises:
        grpc.RpcError: the server does not tell.
    """
    customers = sorted(seen.accounts)
    answers = Pool(AT_ONCE).map(lambda each: _entitlements(connection, each), customers)
    counters: Counters = dict(zip(customers, map(_counters, answers), strict=True))
    return ledger.compare(seen, counters)


def _entitlements(connection: Connection, customer_id: str) -> Any:
    request = pb.GetEntitlementsRequest(customer_id=customer_id)
    for attempt in range(1, TRIES + 1):
        try:
            return connection.quota.GetEntitlements(request, timeout=READ_S, wait_for_ready=True)
        except grpc.RpcError:
            if attempt == TRIES:
                raise
            gevent.sleep(PAUSE_S)
    raise AssertionError("unreachable")


def _counters(answer: Any) -> dict[str, Counter]:
    """The counters that never start again, by feature."""
    return {
        entitlement.feature_id: Counter(
            limit.used, limit.limit if limit.HasField("limit") and not limit.soft_limit else None
        )
        for entitlement in answer.entitlements
        for limit in entitlement.limits
        if not limit.per
    }
