"""Nothing raises, whatever is stored of a customer and whatever catalog is in force by then."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from quotad.catalog import Snapshot
from quotad.customers.drafts import carried_out
from quotad.customers.overrides import NewEntitlement, grant_promotion, set_override
from quotad.customers.row_reader import RowReader
from quotad.customers.rows import write_row
from quotad.customers.subscriptions import (
    Cancellation,
    Change,
    Provision,
    Trial,
    archive,
    cancel_subscription,
    change_subscription,
    provision,
)
from quotad.decision import ConsumeRequest, Mode
from quotad.engine.denials import with_sources
from quotad.engine.fold import fold
from quotad.engine.memos import encode_memo
from quotad.engine.meters import LimitTerms, new_meter
from quotad.entitlements.explain import explain
from quotad.entitlements.resolve import Effective, resolve
from quotad.errors import QuotadError
from quotad.model import QUANTITY_MAX, USED_MAX, Entitlement, FeatureType, MeterKind
from quotad.operations.shown_customers import shown
from quotad.records import CustomerRecord, StoredCustomer
from quotad.service import encode
from quotad.service.customer_message import customer_message
from quotad.service.wire import decision_bytes
from quotad.store import ChargeStatus, Retention, Settlement
from quotad.store.records import decode_customer, encode_customer
from quotad.v1 import quota_pb2 as pb
from tests.unit.any_catalog import (
    ADDON_IDS,
    FEATURE_IDS,
    NOW,
    PLAN_IDS,
    RESOURCE_IDS,
    TIMES,
    Draw,
)


class Meeting(msgspec.Struct):
    """A customer, and a catalog that may know nothing of what it has."""

    draw: Draw
    record: CustomerRecord
    snapshot: Snapshot
    resource_id: str

    @classmethod
    def of(cls, seed: int) -> "Meeting":
        draw = Draw(seed)
        return cls(draw, draw.record(), draw.snapshot(), draw.choice(RESOURCE_IDS))

    def held(self, record: CustomerRecord | None = None) -> Effective:
        """What the customer is entitled to."""
        return resolve(record or self.record, self.snapshot, NOW, "acme", self.resource_id)


def meetings(first: int) -> Iterator[Meeting]:
    return map(Meeting.of, range(first, first + MEETINGS))


MEETINGS = 75
several = pytest.mark.parametrize("first", range(0, 4 * MEETINGS, MEETINGS))


def is_right(entitlement: Entitlement) -> bool:
    """Whether it is one that decisions can be taken with."""
    feature = entitlement.feature
    if entitlement.revoked:
        return True
    if feature.type is not FeatureType.METERED:
        return entitlement.limits == () and set(entitlement.values) <= set(feature.values)
    gauge = feature.kind is MeterKind.GAUGE
    return bool(entitlement.limits or feature.credit) and not (
        gauge and any(limit.window for limit in entitlement.limits)
    )


@several
def test_a_customer_is_entitled_to_features_as_they_are_now(first: int) -> None:
    for met in meetings(first):
        for feature_id, entitlement in met.held().entitlements.items():
            assert met.snapshot.features[feature_id] == entitlement.feature
            assert is_right(entitlement)
            for limit in entitlement.limits:
                assert limit.limit is None or 0 <= limit.limit <= QUANTITY_MAX


@several
def test_every_feature_can_be_asked_for_and_every_answer_be_sent(first: int) -> None:
    for met in meetings(first):
        effective = met.held()
        for feature_id, feature in met.snapshot.features.items():
            meter = new_meter(feature_id, effective, met.snapshot, Retention())
            if meter is None or meter.given is not None:
                continue
            terms = meter.bind(NOW).terms
            encode_memo(7, terms)
            sources = explain(met.record, met.snapshot, NOW, "acme", met.resource_id, feature_id)
            for quantity in (0, 7, QUANTITY_MAX, *((-7,) if meter.gauge else ())):
                for used in (0, 3, USED_MAX):
                    request = ConsumeRequest(
                        "acme", feature_id, quantity, Mode.NORMAL, every_limit=True, explain=True
                    )
                    decision = fold(terms, request, settled(terms, quantity, used), NOW, 7)
                    sent = decision_bytes(with_sources(decision, sources))
                    answer = pb.CheckAndConsumeResponse.FromString(sent)
                    assert decision.allowed == answer.allowed
                    encode.entitlement(feature_id, feature, decision)


def settled(terms: tuple[LimitTerms, ...], quantity: int, used: int) -> Settlement:
    """What the script would say if so much were used of every limit."""
    amounts = [quantity * (term.details.weight if term.details else 1) for term in terms]
    full = any(
        amount >= 0 and used + amount > term.cap
        for amount, term in zip(amounts, terms, strict=True)
    )
    status = ChargeStatus.DENIED if full else ChargeStatus.ALLOWED
    return Settlement(int(status), [used] * len(terms), closes=[0] * len(terms))


@several
def test_what_is_explained_is_what_is_in_force(first: int) -> None:
    for met in meetings(first):
        entitlements = met.held().entitlements
        for feature_id in [*met.snapshot.features, "gone"]:
            sources = explain(met.record, met.snapshot, NOW, "acme", met.resource_id, feature_id)
            own = [source for source in sources if not source.feature_id]
            assert (feature_id in entitlements) == any(source.won for source in own)
            assert all(source.won or source.note for source in own)


@several
def test_a_stored_customer_can_be_shown(first: int) -> None:
    for met in meetings(first):
        assert met.record == decode_customer(encode_customer(met.record))
        customer_message(shown(StoredCustomer(3, met.record), met.snapshot, NOW))


@several
def test_a_customer_that_is_exported_and_imported_has_the_same(first: int) -> None:
    for met in meetings(first):
        # What is said of plans and add-ons that are not there any more is refused, and told.
        met.record = msgspec.structs.replace(
            met.record,
            updated_ms=1,
            subscriptions=tuple(
                msgspec.structs.replace(phase, addons={}, revision=1)
                for phase in met.record.subscriptions
                if phase.plan_id in met.snapshot.plans
                and (phase.end_ms is None or phase.start_ms < phase.end_ms)
                and not (phase.trial and phase.end_ms is None)
            ),
        )

        draft = RowReader(met.snapshot, NOW).read(write_row(met.record, met.snapshot, NOW))

        again = carried_out(draft, None, met.snapshot, NOW)
        before, after = met.held(), met.held(again)
        assert (before.entitlements, before.denied) == (after.entitlements, after.denied)


VALUES: tuple[Any, ...] = (
    {"limit": 5},
    {"limit": 5, "per": "month"},
    "unlimited",
    True,
    False,
    "phone",
    ["phone"],
    None,
    1e300,
    float("nan"),
    [[[]]],
    {},
    {"limit": -1},
    {"limit": 1e300},
    {"limits": [{}]},
    {"rollout": {"percent": 5}},
    {"limit": {"limit": None}},
)

Write = Callable[[Meeting], CustomerRecord]


def _addons(draw: Draw) -> dict[str, int]:
    return {name: draw.choice([-1, 0, 1, 3, 10**9]) for name in draw.some([*ADDON_IDS, "gone"])}


def _provision(met: Meeting) -> CustomerRecord:
    draw, plan_ids, times = met.draw, [*PLAN_IDS, "gone"], [None, *TIMES]
    trial = Trial(draw.choice(TIMES), draw.random() < 0.5, draw.choice(["", *plan_ids]))
    wanted = Provision(
        draw.choice(plan_ids),
        draw.choice(times),
        draw.choice(["", "s1"]),
        met.resource_id,
        _addons(draw) if draw.random() < 0.3 else {},
        draw.choice(times),
        draw.choice(times),
        trial if draw.random() < 0.5 else None,
    )
    return provision(met.record, wanted, met.snapshot, NOW)


def _change(met: Meeting) -> CustomerRecord:
    draw = met.draw
    wanted = Change(
        draw.choice(["", "s1"]),
        met.resource_id,
        draw.choice(["", *PLAN_IDS, "gone"]),
        _addons(draw) if draw.random() < 0.3 else None,
        draw.random() < 0.5,
        draw.random() < 0.5,
    )
    return change_subscription(met.record, wanted, met.snapshot, NOW)


def _cancel(met: Meeting) -> CustomerRecord:
    wanted = Cancellation(met.draw.choice(["", "s1"]), met.resource_id, met.draw.random() < 0.5)
    return cancel_subscription(met.record, wanted, met.snapshot, NOW)


def _override(met: Meeting) -> CustomerRecord:
    return set_override(met.record, _wanted(met), met.snapshot, NOW)


def _promote(met: Meeting) -> CustomerRecord:
    end_ms = met.draw.choice([None, *TIMES])
    wanted = msgspec.structs.replace(_wanted(met), end_ms=end_ms)
    return grant_promotion(met.record, wanted, met.snapshot, NOW)


def _wanted(met: Meeting) -> NewEntitlement:
    draw = met.draw
    return NewEntitlement(draw.choice(FEATURE_IDS), draw.choice(VALUES), met.resource_id)


def _archive(met: Meeting) -> CustomerRecord:
    return archive(met.record, NOW)


WRITES: tuple[Write, ...] = (_provision, _change, _cancel, _override, _promote, _archive)


@several
def test_a_write_is_carried_out_or_refused_with_a_reason(first: int) -> None:
    refused: list[str] = []
    for met in meetings(first):
        for _ in range(4):
            try:
                met.record = met.draw.choice(WRITES)(met)
            except QuotadError as error:
                refused.append(str(error))
            met.held()
            customer_message(shown(StoredCustomer(3, met.record), met.snapshot, NOW))

    assert all(re.match(r"[a-z_.]+(\[\d+\])*[a-z_.]*: ", message) for message in refused)
