"""Where the decisions of a batch come from, for the requests that ask."""

from quotad.catalog import Snapshot
from quotad.engine.denials import with_sources
from quotad.engine.rounds import Round
from quotad.entitlements.explain import explain
from quotad.model import CustomerRecord, Decision, EntitlementSource


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
    for i, record in records.items():
        request, answer = round_.requests[i], round_.answers[i]
        if isinstance(answer, Decision):
            named = (request.customer_id, request.resource_id, request.feature_id)
            try:
                sources = told.get(named)
                if sources is None:
                    sources = told[named] = explain(record, snapshot, now_ms, *named)
                round_.answers[i] = with_sources(answer, sources)
            except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                round_.failed(i)
