"""Customers and catalogs in few words, for tests of effective values.

Limits are written `100/month`, `5/2 days soft`, `5/day soft+2` (a hard stop at 7), `9/day shadow`,
`unlimited/month`, `100` (lifetime), several with commas; `/month.s` is anchored to the
subscription, `/month.f` to the first use.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from quotad.catalog import Snapshot
from quotad.entitlements.resolve import Effective, resolve
from quotad.model import (
    AddOn,
    AddOnEntry,
    Anchor,
    Credit,
    Entitlement,
    Entry,
    Feature,
    FeatureType,
    Limit,
    MeterKind,
    Plan,
    Rollout,
    Unit,
    Window,
)
from quotad.records import CustomerRecord, Override, Promotion, Subscription

NOW = 1_800_000_000_000
DAY = 86_400_000
START = NOW - 30 * DAY

FEATURES = {
    feature.feature_id: feature
    for feature in (
        Feature("calls", FeatureType.METERED),
        Feature("seats", FeatureType.METERED, MeterKind.GAUGE),
        Feature("credits", FeatureType.METERED, decimals=1),
        Feature("images", FeatureType.METERED, credit=Credit("credits", 25)),
        Feature("export", FeatureType.BOOLEAN),
        Feature("size", FeatureType.CONFIG),
        Feature("support", FeatureType.CONFIG, values=("community", "email", "phone")),
    )
}

Spec = bool | str
"""What somebody has of a feature: True, a config value or several with spaces, limits."""

_ANCHORS = {"s": Anchor.SUBSCRIPTION, "f": Anchor.FIRST_USE}


def window_of(text: str) -> Window | None:
    """`month`, `2 days`, `month.s`; empty: lifetime."""
    if not text:
        return None
    per, _, anchor = text.partition(".")
    count, _, unit = per.rpartition(" ")
    return Window(
        Unit(unit.removesuffix("s") if count else unit),
        int(count or 1),
        _ANCHORS.get(anchor, Anchor.CALENDAR),
    )


def limits_of(text: str) -> tuple[Limit, ...]:
    return tuple(_limit(part) for part in text.split(", ")) if text else ()


def _limit(text: str) -> Limit:
    text, shadow = text.removesuffix(" shadow"), text.endswith(" shadow")
    text, soft, overage = text.partition(" soft")
    number, _, per = text.partition("/")
    limit = None if number == "unlimited" else int(number)
    most = int(overage) if overage else None
    return Limit(limit, window_of(per), bool(soft), most, shadow)


def entry_of(feature: Feature, spec: Spec) -> Entry:
    if spec is False:
        return Entry(granted=False)
    if feature.type is FeatureType.METERED:
        if spec == "unlimited":
            return Entry(limits=None)
        return Entry(limits=() if spec is True else limits_of(str(spec)))
    if spec is True:
        return Entry()
    values = tuple(str(spec).split(" ")) if feature.values else ()
    return Entry(value=values[-1] if values else str(spec), values=values)


def entitlement_of(feature: Feature, spec: Spec) -> Entitlement:
    entry = entry_of(feature, spec)
    limits = (Limit(None),) if entry.limits is None else entry.limits
    return Entitlement(feature, entry.value, limits, entry.values)


def told(entitlement: Entitlement | None) -> str:
    """An entitlement as it is written here; `-`: none."""
    if entitlement is None:
        return "-"
    if entitlement.revoked:
        return "revoked"
    feature = entitlement.feature
    if feature.type is FeatureType.METERED and entitlement.limits:
        return ", ".join(_told(limit) for limit in entitlement.limits)
    return " ".join(entitlement.values) or entitlement.value or "granted"


def _told(limit: Limit) -> str:
    text = "unlimited" if limit.limit is None else str(limit.limit)
    if limit.window is not None:
        text += f"/{limit.window.per}"
        if limit.window.anchor is not Anchor.CALENDAR:
            text += f".{limit.window.anchor.value[0]}"
    if limit.soft:
        text += " soft" + ("" if limit.overage_limit is None else f"+{limit.overage_limit}")
    return text + (" shadow" if limit.shadow else "")


class Case(msgspec.Struct):
    """One customer, what it has of one feature, and the catalog that says so."""

    feature_id: str
    plans: dict[str, Plan] = {}
    addons: dict[str, AddOn] = {}
    earlier: dict[tuple[str, int], Plan] = {}
    subscriptions: list[Subscription] = []
    overrides: list[Override] = []
    promotions: list[Promotion] = []
    resource_id: str = ""
    """That is asked about."""
    customer_id: str = "acme"

    @property
    def feature(self) -> Feature:
        return FEATURES[self.feature_id]

    @property
    def snapshot(self) -> Snapshot:
        kept: dict[str, tuple[int, ...]] = {}
        for plan_id, revision in sorted(self.earlier):
            kept[plan_id] = (*kept.get(plan_id, ()), revision)
        return Snapshot(1, "", FEATURES, self.plans, None, self.addons, self.earlier, kept)

    @property
    def record(self) -> CustomerRecord:
        return CustomerRecord(
            self.customer_id,
            tuple(self.subscriptions),
            updated_ms=START,
            overrides=tuple(self.overrides),
            promotions=tuple(self.promotions),
        )

    def grant(self, plan_id: str, spec: Spec | None) -> None:
        plan = self.plans.get(plan_id) or Plan(plan_id, {})
        granted = dict(plan.entitlements)
        if spec is not None:
            granted[self.feature_id] = entitlement_of(self.feature, spec)
        self.plans[plan_id] = msgspec.structs.replace(plan, entitlements=granted)

    def resolve(self, now_ms: int = NOW) -> Effective:
        return resolve(self.record, self.snapshot, now_ms, self.customer_id, self.resource_id)

    def told(self, now_ms: int = NOW) -> str:
        return told(self.resolve(now_ms).entitlements.get(self.feature_id))


Source = Callable[[Case], None]
"""Something that has a say in what the customer has."""


def case(feature_id: str, plan: Spec | None, *sources: Source) -> Case:
    """A customer that is on plan `pro`, which grants `plan`, and what else it has."""
    made = Case(feature_id)
    made.grant("pro", plan)
    made.subscriptions.append(Subscription("pro", START))
    for source in sources:
        source(made)
    return made


def addon(quantity: int = 1, name: str = "", on: int = 0, **entry: Any) -> Source:
    """An add-on of subscription number `on`: `add=`, `set=` (with `per=`), or `gives=`."""

    def bought(made: Case) -> None:
        addon_id = name or f"addon-{len(made.addons)}"
        per = entry.pop("per", None)
        gives = entry.pop("gives", None)
        said = AddOnEntry(
            **entry,
            window=None if per is None else window_of(per),
            names_window=per is not None,
            entry=None if gives is None else entry_of(made.feature, gives),
        )
        made.addons[addon_id] = AddOn(addon_id, {made.feature_id: said})
        phase = made.subscriptions[on]
        addons = {**phase.addons, addon_id: quantity}
        made.subscriptions[on] = msgspec.structs.replace(phase, addons=addons)

    return bought


def subscription(spec: Spec | None, **phase: Any) -> Source:
    """One more subscription, of a plan of its own."""

    def subscribed(made: Case) -> None:
        plan_id = f"plan-{len(made.subscriptions)}"
        made.grant(plan_id, spec)
        given = {"subscription_id": plan_id, "start_ms": START, **phase}
        made.subscriptions.append(Subscription(plan_id, **given))

    return subscribed


def trial(spec: Spec | None, end_ms: int = NOW + DAY) -> Source:
    """A trial beside the main subscription."""
    return subscription(spec, trial=True, end_ms=end_ms)


def promotion(spec: Spec, end_ms: int | None = None, resource_id: str = "") -> Source:
    def promoted(made: Case) -> None:
        entry = entry_of(made.feature, spec)
        made.promotions.append(Promotion(made.feature_id, entry, end_ms, resource_id))

    return promoted


def override(spec: Spec, resource_id: str = "") -> Source:
    def overridden(made: Case) -> None:
        entry = entry_of(made.feature, spec)
        made.overrides.append(Override(made.feature_id, entry, resource_id))

    return overridden


def rolled_out(spec: Spec, percents: Sequence[float], otherwise: Spec | None = None) -> Source:
    """The plan's entry is for some percent of its customers; nested, if there are several."""

    def rolled(made: Case) -> None:
        current = None if otherwise is None else entitlement_of(made.feature, otherwise)
        for percent in reversed(percents):
            current = msgspec.structs.replace(
                entitlement_of(made.feature, spec),
                rollout=Rollout(int(percent * 100), made.feature_id, "rollout"),
                otherwise=current,
            )
        assert current is not None
        plan = made.plans["pro"]
        made.plans["pro"] = msgspec.structs.replace(
            plan,
            entitlements={**plan.entitlements, made.feature_id: current},
            conditional=(made.feature_id,),
        )

    return rolled
