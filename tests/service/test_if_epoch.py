"""Writes that say which state they expect: a late one changes nothing."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Value

from quotad.client.admin import AdminClient
from quotad.client.errors import QuotaServerError
from quotad.v1 import admin_pb2 as pb
from tests.running import CALL_S, Running

PLANS = """
version: 1
features:
  calls: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 5, per: month}}}
  pro: {entitlements: {calls: {limit: 50, per: month}}}
"""
LIMIT = Value()
LIMIT.struct_value.fields["limit"].number_value = 9

WRITES: list[tuple[str, dict[str, Any]]] = [
    ("ProvisionCustomer", {"plan_id": "pro"}),
    ("UpdateCustomer", {"email": "ada@acme.example"}),
    ("ChangeSubscription", {"plan_id": "pro"}),
    ("CancelSubscription", {}),
    ("SetOverride", {"feature_id": "calls", "entitlement": LIMIT}),
    ("RemoveOverride", {"feature_id": "calls"}),
    ("GrantPromotion", {"feature_id": "calls", "entitlement": LIMIT}),
    ("RevokePromotion", {"feature_id": "calls"}),
    ("ArchiveCustomer", {}),
]


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


def write(quotad: Running, method: str, customer: str, **fields: Any) -> Any:
    request = getattr(pb, f"{method}Request")(customer_id=customer, **fields)
    return getattr(quotad.admin, method)(request, timeout=CALL_S)


def set_up(quotad: Running, customer: str) -> Any:
    """A customer that every write has something to change about; as it is then."""
    quotad.provision(customer, "free")
    given = {"feature_id": "calls", "entitlement": LIMIT}
    write(quotad, "GrantPromotion", customer, **given)
    return write(quotad, "SetOverride", customer, **given)


def test_every_write_of_one_customer_is_here() -> None:
    methods = pb.DESCRIPTOR.services_by_name["AdminService"].methods
    takes = {each.name for each in methods if "if_epoch" in each.input_type.fields_by_name}
    answers_customer = {each.name for each in methods if each.output_type.name == "Customer"}

    assert answers_customer - {"GetCustomer"} <= takes
    assert takes - {"EraseCustomer", "RollbackCustomer"} == {method for method, _ in WRITES}


@pytest.mark.parametrize(("method", "fields"), WRITES, ids=[method for method, _ in WRITES])
def test_a_write_that_expects_another_state_changes_nothing(
    quotad: Running, customer: str, method: str, fields: dict[str, Any]
) -> None:
    before = set_up(quotad, customer)

    with pytest.raises(grpc.RpcError) as failed:
        write(quotad, method, customer, **fields, if_epoch=before.epoch - 1)

    assert grpc.StatusCode.FAILED_PRECONDITION is failed.value.code()
    assert f"'{customer}' is at epoch {before.epoch}, not " in failed.value.details()
    metadata = dict(failed.value.trailing_metadata())
    assert ("STALE_EPOCH", str(before.epoch)) == (
        metadata["quotad-reason"],
        metadata["quotad-epoch"],
    )
    assert before == quotad.admin.GetCustomer(
        pb.GetCustomerRequest(customer_id=customer), timeout=CALL_S
    )
    after = write(quotad, method, customer, **fields, if_epoch=before.epoch)
    assert after.epoch > before.epoch


def test_a_late_provisioning_does_not_switch_a_cancelled_customer_on_again(
    quotad: Running, customer: str
) -> None:
    seen = quotad.provision(customer, "pro").epoch
    cancelled = write(quotad, "CancelSubscription", customer, if_epoch=seen)

    with AdminClient(quotad.server.address) as admin:
        with pytest.raises(QuotaServerError, match="if_epoch: ") as failed:
            admin.provision(customer, "pro", if_epoch=seen)
        assert ("FAILED_PRECONDITION", "STALE_EPOCH") == (failed.value.code, failed.value.reason)
        assert cancelled.epoch == admin.customer(customer).epoch
        back = admin.provision(customer, "pro", if_epoch=cancelled.epoch)

    assert back.epoch > cancelled.epoch


def test_zero_expects_a_customer_without_a_record(quotad: Running, customer: str) -> None:
    first = write(quotad, "ProvisionCustomer", customer, plan_id="free", if_epoch=0)

    with pytest.raises(grpc.RpcError, match=f"is at epoch {first.epoch}, not 0"):
        write(quotad, "ProvisionCustomer", customer, plan_id="pro", if_epoch=0)
    with pytest.raises(grpc.RpcError, match="has no record, not 7"):
        write(quotad, "ArchiveCustomer", f"{customer}-other", if_epoch=7)
    with pytest.raises(grpc.RpcError, match="if_epoch: -1 is no epoch"):
        write(quotad, "ArchiveCustomer", customer, if_epoch=-1)


def test_of_many_writes_that_expect_the_same_state_one_is_made(
    quotad: Running, customer: str
) -> None:
    epoch = quotad.provision(customer, "free").epoch
    start = Barrier(8)

    def attempt(_: int) -> str:
        start.wait(CALL_S)
        try:
            write(quotad, "ArchiveCustomer", customer, if_epoch=epoch)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "made"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))

    assert ["FAILED_PRECONDITION"] * 7 + ["made"] == sorted(outcomes)
