"""Plan calls about several features at once: their limits laid out together, as one charge.

Called by the planner of single calls, which plans each feature of a call that is not laid out yet.
"""

from collections.abc import Callable

import msgspec

from quotad.catalog import Snapshot
from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.engine.given import in_item, not_checked_together
from quotad.engine.joint import JointLayout, lay_out_together
from quotad.engine.memos import encode_joint_memo, encode_settled_memo, joint_fingerprint
from quotad.engine.meters import Bound
from quotad.engine.once import once_of
from quotad.engine.plan_settlement import plan_settlement
from quotad.engine.rounds import Planned, Round
from quotad.engine.settlements import SettleRequest
from quotad.engine.shared import EngineSettings
from quotad.engine.slot_plans import plan_slot
from quotad.engine.views import View, ViewCache, view_name
from quotad.errors import InvalidRequest
from quotad.ledger import Noting
from quotad.recent import Recent
from quotad.records import StoredCustomer
from quotad.slots import AcquireRequest
from quotad.store.charges import (
    ANY_OUTCOME,
    CHECK,
    CONSUME,
    CONSUME_ONCE,
    NO_COUNTERS,
    SETTLE_ONCE,
)
from quotad.store.holds import TAKEN

CHECK_ONLY = int(Mode.CHECK_ONLY)

LAYOUTS_MAX = 1024
"""Most sets of features that are remembered as asked for together."""

NO_LAYOUT = JointLayout((), NO_COUNTERS, ())

PlanOne = Callable[[Round, int, ConsumeRequest, View, int], bool]
"""As `Planner.plan`."""


class JointPlanner:
    """Plans calls about several features; of one thread.

    Args:
        views: of customers.
        settings: of decisions.
        plan_one: plans one request about one feature.
    """

    def __init__(self, views: ViewCache, settings: EngineSettings, plan_one: PlanOne) -> None:
        self._views = views
        self._settings = settings
        self._plan_one = plan_one
        self._layouts: Recent[tuple[object, ...], JointLayout] = Recent(LAYOUTS_MAX)

    def plan(
        self, round_: Round, place: int, request: ConsumeAllRequest, view: View, now_ms: int
    ) -> bool:
        """Plan a request; returns False where resources that it is about are not in memory."""
        views = [view] * len(request.items)
        for i, item in enumerate(() if request.amounts else request.items):
            if item.resource_id:
                name = view_name(item.customer_id, item.resource_id)
                found = self._views.get(name, view.snapshot, now_ms)
                if found is None or found.epoch != view.epoch:
                    return False
                views[i] = found
        if isinstance(request, SettleRequest):
            round_.add(place, self._settlement(request, view, views, now_ms))
            return True
        layout = None
        if not isinstance(request, AcquireRequest):
            layout = self._known_layout(request, views, now_ms)
        refused: InvalidRequest | None = None
        if layout is None:
            layout, refused = self._new_layout(request, views, now_ms)
        amounts = request.amounts
        if refused is not None:
            amounts = ()
        elif not amounts or not layout.apart:
            amounts = layout.amounts(request.items)
        verb, once = CONSUME, None
        if request.mode == CHECK_ONLY:
            verb = CHECK
        elif request.idempotency_key:
            hold = request.idempotency_key[0] == TAKEN
            memo = encode_joint_memo(view.snapshot.version, layout, request, now_ms, hold)
            ttl_ms = self._settings.idempotency_ttl_ms
            verb, once = CONSUME_ONCE, once_of(request, joint_fingerprint(request), memo, ttl_ms)
        if once is None and verb == CONSUME and layout.hard and request.features:
            round_.add(place, view.keep_together(request.features, layout, request.amounts))
            return True
        counters = layout.counters
        if not amounts and refused is None and _is_noted(request, layout, view.snapshot):
            counters = msgspec.structs.replace(counters, noting=ANY_OUTCOME)
        charge = view.keys, view.epoch, amounts or 0, verb, counters, once
        round_.add(place, Planned(*charge, given=refused or layout.parts))
        return True

    def put_resources(
        self, request: ConsumeAllRequest, stored: StoredCustomer, snapshot: Snapshot, now_ms: int
    ) -> None:
        """Make views of the resources that a request is about, of the customer as just read."""
        for item in request.items:
            if item.resource_id:
                name = view_name(item.customer_id, item.resource_id)
                view = self._views.get(name, snapshot, now_ms)
                if view is None or view.epoch != stored.epoch:
                    self._views.put(name, stored, snapshot, now_ms)

    def _settlement(
        self, request: SettleRequest, view: View, views: list[View], now_ms: int
    ) -> Planned:
        """Plan what settles a hold, or undoes a call, on the counters that it was taken from."""
        layout, amounts = plan_settlement(request, views, self._settings.retention, now_ms)
        charged = view.keys, view.epoch
        if not isinstance(layout, JointLayout):
            return Planned(*charged, 0, CHECK, NO_COUNTERS, given=layout)
        if amounts is None:
            return Planned(*charged, 0, CHECK, layout.counters, given=layout.parts)
        memo = encode_settled_memo(view.snapshot.version, layout, request)
        print_ = request.fingerprint or joint_fingerprint(request)
        once = once_of(request, print_, memo, self._settings.idempotency_ttl_ms)
        return Planned(*charged, amounts, SETTLE_ONCE, layout.counters, once, given=layout.parts)

    def _known_layout(
        self, request: ConsumeAllRequest, views: list[View], now_ms: int
    ) -> JointLayout | None:
        """The layout of a request that only counters decide on; None: it is another one."""
        items = request.items
        if not request.amounts and any(
            item.quantity < 0 or item.requested_values for item in items
        ):
            return None
        bounds: list[Bound] = []
        for item, view in zip(items, views, strict=True):
            meter = view.meters.get(item.feature_id)
            if meter is None or meter.given is not None:
                return None
            bound = meter.bound
            if not bound.from_ms <= now_ms < bound.until_ms:
                bound = meter.bind(now_ms)
            bounds.append(bound)
        # A layout holds its bounds, so that no other object gets the same id.
        named: tuple[object, ...] = tuple(map(id, bounds))
        if not request.amounts:
            named = (*named, *[item.resource_id for item in items])
        layout = self._layouts.get(named)
        if layout is None:
            layout = lay_out_together(items, bounds, [None] * len(bounds))
            self._layouts.put(named, layout)
        return layout

    def _new_layout(
        self, request: ConsumeAllRequest, views: list[View], now_ms: int
    ) -> tuple[JointLayout, InvalidRequest | None]:
        """The layout of any request; and why it can never work, if an item cannot."""
        each = Round(request.items)
        for i, item in enumerate(request.items):
            if i == 0 and isinstance(request, AcquireRequest):
                plan_slot(each, item, views[0], self._settings.retention, now_ms)
            else:
                self._plan_one(each, i, item, views[i], now_ms)
        given: list[Decision | None] = []
        for place, one in each.placed:
            if each.looks and place in each.looks:
                refused = not_checked_together(request.items[place])
                return NO_LAYOUT, in_item(request, place, refused)
            if isinstance(one.given, InvalidRequest):
                return NO_LAYOUT, in_item(request, place, one.given)
            given.append(one.given if isinstance(one.given, Decision) else None)
        bounds = [Bound(0, 0, one.counters, one.terms) for one in each.planned]
        return lay_out_together(request.items, bounds, given), None


def _is_noted(request: ConsumeAllRequest, layout: JointLayout, snapshot: Snapshot) -> bool:
    """Whether the ledger is to have that the plan denies one of several features."""
    return any(
        part.given is not None
        and not part.given.allowed
        and snapshot.noting(item.feature_id) is Noting.ALL
        for part, item in zip(layout.parts, request.items, strict=True)
    )
