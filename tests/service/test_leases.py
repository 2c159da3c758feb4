"""AcquireLease, RenewLease, ReleaseLease over every front."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from typer.testing import CliRunner

from quotad.client import AsyncClient, Client, QuotaInvalid, QuotaServerError
from quotad.v1 import quota_pb2 as pb
from tests.running import CALL_S, Running, refusal
from tests.service.either import Either

CATALOG = """
version: 1
default_plan: free
features:
  tokens: {type: metered}
plans:
  free: {entitlements: {tokens: {limit: 5000, per: year}}}
"""


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "asyncio"])
async def client(request: pytest.FixtureRequest, served: Running) -> AsyncIterator[Either]:
    served.publish_and_wait(CATALOG)
    either = Either(request.param, served.server.address)
    yield either
    await either.close()


async def test_both_clients_lend_renew_and_return(client: Either, customer: str) -> None:
    lent = await client("acquire_lease", customer, "tokens", 100, ttl=2.0)
    numbers = {"sequence": 1, "spent": 60, "quantity": 50}
    renewed = await client("renew_lease", customer, lent.lease_id, **numbers)
    returned = await client("release_lease", customer, lent.lease_id, spent=70)

    assert (100, timedelta(seconds=2), 100) == (lent.granted, lent.term, lent.decision.used)
    assert (110, timedelta(seconds=5)) == (renewed.granted, renewed.term)
    assert renewed.expires_at > lent.expires_at
    assert 40 == returned
    with pytest.raises(QuotaServerError, match="is not open any more; it was released") as closed:
        await client("renew_lease", customer, lent.lease_id, **numbers)
    assert ("FAILED_PRECONDITION", "NOT_OPEN") == (closed.value.code, closed.value.reason)


async def test_a_lease_of_what_is_not_there_is_refused(client: Either, customer: str) -> None:
    with pytest.raises(QuotaServerError, match="lease_id: 'nope' is not known") as unknown:
        await client("release_lease", customer, "nope", spent=0)
    assert "NOT_FOUND" == unknown.value.code
    with pytest.raises(QuotaInvalid, match="ttl: must be at least 100 milliseconds"):
        await client("acquire_lease", customer, "tokens", 1, ttl=0.01)
    denied = await client("acquire_lease", customer, "nope", 1)
    assert (None, None, 0) == (denied.term, denied.expires_at, denied.granted)


def test_a_lease_is_acquired_renewed_and_released(served: Running, customer: str) -> None:
    served.publish_and_wait(CATALOG)
    ids: dict[str, Any] = {"customer_id": customer, "lease_id": "mine"}

    lent = served.quota.AcquireLease(
        pb.AcquireLeaseRequest(feature_id="tokens", quantity=100, **ids), timeout=CALL_S
    )
    renewed = served.quota.RenewLease(
        pb.RenewLeaseRequest(sequence=1, spent=60, quantity=100, ttl=Duration(seconds=1), **ids),
        timeout=CALL_S,
    )
    seen = served.quota.GetEntitlement(
        pb.GetEntitlementRequest(customer_id=customer, feature_id="tokens"), timeout=CALL_S
    ).entitlement
    returned = served.quota.ReleaseLease(pb.ReleaseLeaseRequest(spent=75, **ids), timeout=CALL_S)

    assert (100, 100, True) == (lent.granted, lent.decision.used, lent.decision.allowed)
    assert (160, 60, 1000, False) == (
        renewed.granted,
        renewed.decision.granted,
        renewed.term.ToMilliseconds(),
        renewed.last,
    )
    assert 5000 == lent.term.ToMilliseconds()
    assert lent.expires_at.seconds > 0
    assert (60, 100, 4840) == (seen.used, seen.leased, seen.remaining)
    assert 85 == returned.returned
    assert 75 == served.consume(customer, "tokens", quantity=0).used
    metrics = served.server.metrics
    assert all(metrics.named(metrics.values())["quotad_leases_total"].values())


def test_a_denied_lease_is_an_answer_without_a_term(served: Running, customer: str) -> None:
    served.publish_and_wait(CATALOG)
    served.consume(customer, "tokens", quantity=5000)
    request = pb.AcquireLeaseRequest(
        customer_id=customer, feature_id="tokens", lease_id="mine", quantity=1
    )

    answer = served.quota.AcquireLease(request, timeout=CALL_S)

    assert (0, pb.REASON_LIMIT_EXCEEDED) == (answer.granted, answer.decision.reason)
    assert not answer.HasField("term")
    assert not answer.HasField("expires_at")


ACQUIRE: dict[str, Any] = {
    "customer_id": "a",
    "feature_id": "tokens",
    "lease_id": "l",
    "quantity": 1,
}
RENEW: dict[str, Any] = {"customer_id": "a", "lease_id": "l", "sequence": 1}
BAD: list[tuple[str, Any, str]] = [
    *(
        ("AcquireLease", pb.AcquireLeaseRequest(**ACQUIRE | wrong), next(iter(wrong)))
        for wrong in (
            {"customer_id": ""},
            {"feature_id": ""},
            {"lease_id": ""},
            {"lease_id": "\n"},
            {"quantity": 0},
            {"quantity": 10**15 + 1},
            {"resource_id": "\n"},
            {"ttl": Duration(nanos=99_000_000)},
        )
    ),
    *(
        ("RenewLease", pb.RenewLeaseRequest(**RENEW | wrong), next(iter(wrong)))
        for wrong in (
            {"customer_id": ""},
            {"lease_id": ""},
            {"sequence": 0},
            {"quantity": -1},
            {"quantity": 10**15 + 1},
            {"ttl": Duration(seconds=-1)},
        )
    ),
    ("ReleaseLease", pb.ReleaseLeaseRequest(customer_id="a"), "lease_id"),
]


@pytest.mark.parametrize(("method", "request_", "field"), BAD)
def test_a_bad_field_is_refused_by_name(
    served: Running, method: str, request_: Any, field: str
) -> None:
    refused = refusal(lambda: getattr(served.quota, method)(request_, timeout=CALL_S))

    assert ("INVALID_ARGUMENT", "INVALID_REQUEST") == (refused.code.name, refused.reason)
    assert refused.message.startswith(f"{field}: ")


def test_the_command_line_lends_and_takes_back(served: Running, customer: str) -> None:
    from quotad.cli.app import app

    served.publish_and_wait(CATALOG)

    def run(*words: str) -> tuple[int, str]:
        environment = {"QUOTAD_SERVER": served.server.address, "COLUMNS": "200"}
        result = CliRunner().invoke(app, ["lease", *words], env=environment)
        return result.exit_code, " ".join(result.output.split())

    code, printed = run("acquire", customer, "tokens", "100", "--id", "job")
    assert (0, True, True) == (code, "lease job" in printed, "lent 100 in all" in printed)
    code, printed = run("renew", customer, "job", "1", "100", "--spent", "60")
    assert (0, True) == (code, "lent 160 in all" in printed)
    assert (0, "returned 90") == run("release", customer, "job", "--spent", "70")
    assert 2 == run("renew", customer, "job", "2", "100", "--spent", "70")[0]
    code, printed = run("acquire", customer, "nope", "100")
    assert (1, True) == (code, printed.startswith("nothing is lent; asked for one unit"))
    code, printed = run("acquire", customer, "tokens", "10", "--json")
    assert (0, True) == (code, '"granted": 10' in printed)
