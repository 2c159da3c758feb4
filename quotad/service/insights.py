"""GetInsights: who is near a limit or past it, and should be offered the next plan."""

from collections.abc import Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.engine import LentEngines
from quotad.engine.insights import Nearness, Notes, look_up
from quotad.errors import InvalidRequest, NotFound
from quotad.model import FeatureType
from quotad.nearest import nearest
from quotad.service.encode import timestamp
from quotad.store.nearby import NearbyStore
from quotad.v1 import admin_pb2 as pb

SIZE_DEFAULT = 10
SIZE_MAX = 100

PERCENT_MAX = 2**31 - 1
"""Largest number that an answer can hold: a soft limit of 10 may be passed by far more."""


class InsightParts(msgspec.Struct, frozen=True):
    """What insights are made of."""

    nearby: NearbyStore
    notes: Notes
    """Of this worker."""
    clock: Clock
    engines: LentEngines


def insights(
    parts: InsightParts, snapshot: Snapshot, request: pb.GetInsightsRequest
) -> pb.GetInsightsResponse:
    """Answer the call.

    Args:
        parts: what it works on.
        snapshot: the catalog in force, also when it was published a moment ago.
        request: as it came.

    Raises:
        InvalidRequest: the size is out of range, or the feature is not metered.
        NotFound: there is no such feature.
        StoreUnavailable: the store refused or timed out.
    """
    if not 0 <= request.size <= SIZE_MAX:
        raise InvalidRequest(f"size: {request.size} is not between 0 and {SIZE_MAX}")
    feature_ids = _feature_ids(snapshot, request.feature_id)
    parts.notes.flush(parts.clock.now_ms())
    answer = pb.GetInsightsResponse()
    with parts.engines.lend() as engine:
        for feature_id in feature_ids:
            found = look_up(engine, parts.nearby, feature_id, request.size or SIZE_DEFAULT)
            if found.above or found.near or request.feature_id:
                answer.features.add(
                    feature_id=feature_id,
                    above=_usages(parts, found.above),
                    near=_usages(parts, found.near),
                )
    return answer


def _feature_ids(snapshot: Snapshot, wanted: str) -> list[str]:
    """The metered features asked for, in the catalog's order."""
    metered = [name for name, f in snapshot.features.items() if f.type is FeatureType.METERED]
    if not wanted:
        return metered
    if wanted in metered:
        return [wanted]
    if wanted in snapshot.features:
        raise InvalidRequest(f"feature_id: {wanted!r} is not metered; it has no limits")
    near = nearest(wanted, metered)
    hint = f", did you mean {near!r}?" if near else ""
    raise NotFound(f"feature_id: unknown feature {wanted!r}{hint}")


def _usages(parts: InsightParts, found: Sequence[Nearness]) -> list[pb.CustomerUsage]:
    return [
        pb.CustomerUsage(
            customer_id=one.customer.customer_id,
            resource_id=one.customer.resource_id,
            plan_id=one.plan_id,
            limit=one.status.limit,
            used=one.status.used,
            per=one.status.per,
            percent=min(one.percent, PERCENT_MAX),
            resets_at=timestamp(one.status.resets_at_ms),
            pool_id=one.status.pool_id,
            decimals=one.status.decimals,
        )
        for one in found
    ]
