"""Where the decisions of a batch come from, for the requests that ask."""

import msgspec

from quotad.catalog import Snapshot
from quotad.decision import (
    ConsumeAllDecision,
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    EntitlementSource,
)
from quotad.engine.denials import with_sources
from quotad.engine.rounds import Round
from quotad.entitlements.explain import explain
from quotad.records import CustomerRecord


def explain_round(
    round_: Round,
    records: dict[int, CustomerRecord | None],
    snapshot: Snapshot,
    now_ms: int,
) -> None:
    """Add to decisions where they come from.

    Args:
        round_: with the decisions; one that was stale is not there yet.
        records: by request, what it was decided on.
        snapshot: the catalog it was decided on.
        now_ms: when it was.
    """
    # Once for all that ask the same: a thousand of a customer with a hundred subscriptions would
    # keep all other calls waiting for a minute.
    told: dict[tuple[str, str, str], tuple[EntitlementSource, ...]] = {}

    def explained(
        record: CustomerRecord | None, request: ConsumeRequest, answer: Decision
    ) -> Decision:
        named = (request.customer_id, request.resource_id, request.feature_id)
        sources = told.get(named)
        if sources is None:
            sources = told[named] = explain(record, snapshot, now_ms, *named)
        return with_sources(answer, sources)

    for i, record in records.items():
        request, answer = round_.requests[i], round_.answers[i]
        if isinstance(answer, Decision):
            try:
                if isinstance(request, ConsumeAllRequest) and isinstance(
                    answer, ConsumeAllDecision
                ):
                    pairs = zip(request.items, answer.items, strict=True)
                    items = tuple(explained(record, item, one) for item, one in pairs)
                    round_.answers[i] = msgspec.structs.replace(answer, items=items)
                else:
                    round_.answers[i] = explained(record, request, answer)
            except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                round_.failed(i)
