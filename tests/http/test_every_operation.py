"""Every RPC of both gRPC services is an operation of `/v1`, field for field."""

import inspect
from typing import Any

import msgspec
import pytest

from quotad.http import (
    answers,
    auditing,
    catalogs,
    corrections,
    customer_answers,
    entitlement_answers,
    holds,
    items,
    ledger,
    reading,
    slots,
)
from quotad.http.app import OPERATIONS
from quotad.http.operation import Operation
from quotad.service.guard import ADMIN_RIGHTS, QUOTA_RIGHTS
from quotad.tokens.roles import Right
from quotad.v1 import admin_pb2, quota_pb2

# Large catalogs come in parts over gRPC only: a body of HTTP has no such bound.
OTHERWISE = {"PublishCatalogParts", "DiffCatalogParts"}

# Of ours, what RPCs do by a field.
OWN = {"Check", "Explain", "Record"}

# Spans are numbers of milliseconds here.
SPANS = {"retry_after", "ttl", "idempotency_ttl", "term"}

# Never set yet, or of messages in parts.
LEFT_OUT = {"continued", "left_out"}

# Of pages that cannot send headers.
IN_QUERY = {"token", "customer_key"}

NESTED: list[tuple[Any, type[msgspec.Struct]]] = [
    (quota_pb2.LimitStatus, answers.LimitState),
    (quota_pb2.Entitlement, entitlement_answers.EntitlementAnswer),
    (quota_pb2.OveragePrice, entitlement_answers.OveragePriceAnswer),
    (quota_pb2.Explanation, answers.ExplanationAnswer),
    (quota_pb2.EntitlementSource, answers.EntitlementSourceAnswer),
    (quota_pb2.BatchResult, answers.BatchPlace),
    (quota_pb2.ConsumeItem, items.ConsumeItem),
    (quota_pb2.CommitItem, holds.CommitItem),
    (quota_pb2.ItemDecision, answers.ItemAnswer),
    (admin_pb2.Subscription, customer_answers.SubscriptionAnswer),
    (admin_pb2.Promotion, customer_answers.GrantedAnswer),
    (admin_pb2.Erasure, customer_answers.ErasureAnswer),
    (admin_pb2.CatalogVersion, catalogs.VersionAnswer),
    (admin_pb2.CatalogChange, catalogs.ChangeAnswer),
    (admin_pb2.CatalogFile, catalogs.FileOfCatalog),
    (admin_pb2.Usage, reading.UsageAnswer),
    (admin_pb2.LedgerEntry, ledger.LedgerEntryAnswer),
    (admin_pb2.LedgerGap, ledger.LedgerGapAnswer),
    (admin_pb2.AuditedCounter, auditing.AuditedCounterAnswer),
    (admin_pb2.Correction, corrections.CorrectionAnswer),
    (admin_pb2.CustomerUsage, reading.CustomerUsageAnswer),
    (admin_pb2.ExperimentGroup, reading.ExperimentGroupAnswer),
    (admin_pb2.FeatureInsights, reading.FeatureInsightsAnswer),
    (quota_pb2.LeaseResponse, holds.LeaseAnswer),
    (quota_pb2.Slot, slots.SlotListed),
    (quota_pb2.CheckAndConsumeAllResponse, answers.AllAnswer),
]

RPCS = {
    rpc.name: rpc
    for module in (quota_pb2, admin_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for rpc in service.methods
}


def fields(message: Any) -> set[str]:
    """The fields of a message, named as JSON has them."""
    return {
        f"{name}_ms" if name in SPANS else name
        for name in message.fields_by_name
        if name not in LEFT_OUT
    }


def test_every_rpc_is_an_operation() -> None:
    names = [operation.name for operation in OPERATIONS]

    assert sorted(RPCS.keys() - OTHERWISE | OWN) == sorted(names), (
        "what a gRPC service does, /v1 does: add an operation to quotad/http"
    )


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.name in RPCS], ids=lambda each: each.name
)
def test_requests_and_answers_have_the_fields_of_the_rpc(operation: Operation) -> None:
    rpc = RPCS[operation.name]

    assert fields(rpc.input_type) == set(operation.wanted.__struct_fields__) - IN_QUERY
    assert fields(rpc.output_type) == set(operation.given.__struct_fields__)


def test_an_operation_needs_the_right_of_its_rpc() -> None:
    rights = {**QUOTA_RIGHTS, **ADMIN_RIGHTS, "WatchEntitlements": Right.CHECK}

    assert {each.name: rights[each.name] for each in OPERATIONS if each.name in RPCS} == {
        each.name: each.right for each in OPERATIONS if each.name in RPCS
    }


@pytest.mark.parametrize(("message", "struct"), NESTED, ids=lambda each: each.__name__)
def test_what_is_in_an_answer_has_the_fields_of_its_message(
    message: Any, struct: type[msgspec.Struct]
) -> None:
    assert fields(message.DESCRIPTOR) == set(struct.__struct_fields__)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_fields_in_a_path_are_fields_of_the_request(operation: Operation) -> None:
    named = {segment[1:-1] for segment in operation.path.split("/") if segment.startswith("{")}

    assert named <= set(operation.wanted.__struct_fields__)
    assert inspect.iscoroutinefunction(operation.act)
