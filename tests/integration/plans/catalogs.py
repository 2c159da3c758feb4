"""What a catalog means, for the model: plans written out, and revisions from publish to publish."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from hashlib import blake2b
from typing import Any

from tests.integration.plans.periods import Window, window_of

Document = dict[str, Any]
"""A catalog as its file says it."""


@dataclass(frozen=True)
class Limit:
    limit: int | None
    """None: only counted."""
    window: Window | None = None
    soft: bool = False
    overage: int | None = None
    """How far past a soft limit; None: any far."""
    shadow: bool = False

    @property
    def stop(self) -> int | None:
        """Where it denies; None: nowhere."""
        if self.limit is None or self.shadow or (self.soft and self.overage is None):
            return None
        return self.limit + (self.overage or 0)


Limits = tuple[Limit, ...]


@dataclass(frozen=True)
class Said:
    """What a plan, an add-on, a promotion or an override says of one feature."""

    limits: Limits | None = ()
    """None: unlimited, in the windows of what it replaces."""
    values: tuple[str, ...] = ()
    """Of a config feature."""


@dataclass(frozen=True)
class Grant:
    """What a plan grants of one feature, perhaps to a share of its customers only."""

    limits: Limits
    values: tuple[str, ...]
    share: tuple[int, str, str] | None = None
    """Of 10,000; salt; variant."""
    otherwise: "Grant | None" = None
    inherit: bool = field(default=False, compare=False)
    """Of a share: whether plans that extend this one have it too."""


Grants = dict[str, Grant]


@dataclass(frozen=True)
class Content:
    """What a subscriber of a plan has."""

    grants: Grants
    billing: Window


@dataclass(frozen=True)
class Plan:
    latest: Content
    revision: int = 1
    earlier: dict[int, Content] = field(default_factory=dict)


def read(feature: dict[str, Any], value: Any) -> Said | None:
    """What is written of a feature; None: nothing of it."""
    if value is False:
        return None
    if feature["type"] == "boolean":
        return Said()
    if feature["type"] == "config":
        value = value["value"] if isinstance(value, dict) else value
        written = [str(each) for each in (value if isinstance(value, list) else [value])]
        return Said(values=tuple(v for v in feature.get("values", written) if v in written))
    if value is True:
        return Said()
    if value in ("unlimited", {"unlimited": True}):
        return Said(limits=None)
    rows = value.get("limits", [value])
    return Said(tuple(_limit(feature, row) for row in rows if row))


def scale(feature: dict[str, Any]) -> int:
    """How many of the smallest units of a pool one credit is."""
    return int(10 ** feature.get("decimals", 0))


def cost(catalog: Document, feature_id: str) -> int:
    """What one unit of a feature takes from its pool."""
    credit = catalog["features"][feature_id]["credit"]
    return int(Decimal(str(credit["cost"])) * scale(catalog["features"][credit["pool"]]))


def _limit(feature: dict[str, Any], row: dict[str, Any]) -> Limit:
    window = window_of(row)
    if row.get("unlimited"):
        return Limit(None, window)
    overage = row.get("overage_limit")
    return Limit(
        row["limit"] * scale(feature),
        window,
        row.get("soft", False),
        None if overage is None else overage * scale(feature),
        row.get("enforce") == "shadow",
    )


def written_out(document: Document, plan_id: str) -> Grants:
    """A plan with its base and its groups."""
    plan = document["plans"][plan_id]
    base = written_out(document, plan["extends"]) if "extends" in plan else {}
    grants = {name: left for name, grant in base.items() if (left := handed_down(grant))}
    passed_over = {name: grant for name, grant in base.items() if handed_down(grant) != grant}
    layers = [document["groups"][name] for name in plan.get("groups", ())]
    for layer in (*layers, plan):
        for feature_id, value in layer.get("entitlements", {}).items():
            whole = passed_over.get(feature_id)
            grant = _granted(document["features"][feature_id], feature_id, value, grants, whole)
            if grant is None or grant.share is None:
                passed_over.pop(feature_id, None)
            if grant is None:
                grants.pop(feature_id, None)
            else:
                grants[feature_id] = grant
    return grants


def handed_down(grant: Grant | None) -> Grant | None:
    """What plans have that extend one with this grant: no rollout that is not for them."""
    if grant is None:
        return None
    below = handed_down(grant.otherwise)
    return replace(grant, otherwise=below) if grant.share is None or grant.inherit else below


def _granted(
    feature: dict[str, Any], feature_id: str, value: Any, grants: Grants, whole: Grant | None
) -> Grant | None:
    share = below = None
    inherit = False
    if isinstance(value, dict) and "rollout" in value:
        rollout = value["rollout"]
        share = (
            int(Decimal(str(rollout["percent"])) * 100),
            rollout.get("salt", feature_id),
            rollout.get("variant", "rollout"),
        )
        inherit = rollout.get("inherit", False)
        below = grants.get(feature_id)
        value = {key: each for key, each in value.items() if key != "rollout"} or True
    said = read(feature, value)
    if said is None:
        return None
    limits = said.limits
    if limits is None:
        limits = _uncounted(whole, grants.get(feature_id))
    return Grant(limits, said.values, share, below, inherit)


def _uncounted(*all_replaced: Grant | None) -> Limits:
    """Unlimited in the windows of what it replaces, whichever side of a rollout that is."""
    limits: dict[object, Limit] = {}
    for replaced in all_replaced:
        while replaced is not None:
            for limit in replaced.limits:
                key = limit.window and (limit.window.per, limit.window.anchor)
                limits.setdefault(key, Limit(None, limit.window))
            replaced = replaced.otherwise
    return tuple(limits.values()) or (Limit(None),)


@cache
def is_inside(share: tuple[int, str, str], customer_id: str) -> bool:
    """Whether a customer belongs to a share."""
    digest = blake2b(f"{share[1]}:{customer_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % 10_000 < share[0]


class Catalog:
    """A published catalog, with what its plans were for those who subscribed before."""

    def __init__(self, document: Document, plans: dict[str, Plan]) -> None:
        self.document = document
        self.plans = plans

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        features: dict[str, dict[str, Any]] = self.document["features"]
        return features

    def content(self, plan_id: str, revision: int) -> Content | None:
        """What a subscription of that revision has; None: the plan is gone."""
        plan = self.plans.get(plan_id)
        if plan is None:
            return None
        kept = [number for number in sorted(plan.earlier) if number >= revision]
        return plan.earlier[kept[0]] if kept else plan.latest


def published(before: Catalog | None, document: Document, apply_to: str = "") -> Catalog:
    """The catalog after a publish, for `new` or `all` or as each plan says."""
    plans = {}
    for plan_id, said in document["plans"].items():
        billing = window_of({"per": said.get("billing", "month"), "anchor": "subscription"})
        assert billing is not None
        latest = Content(written_out(document, plan_id), billing)
        known = before.plans.get(plan_id) if before is not None else None
        if known is None:
            plans[plan_id] = Plan(latest)
            continue
        to_new = (apply_to or said.get("apply_to", "all")) == "new"
        plans[plan_id] = _carried(known, latest, document, to_new, drop=apply_to == "all")
    return Catalog(document, plans)


def rolled_back(before: Catalog, target: Catalog) -> Catalog:
    """The catalog of then, with revision numbers that were never given to anything else."""
    plans = {}
    for plan_id, plan in target.plans.items():
        now = before.plans.get(plan_id, plan)
        plans[plan_id] = replace(plan, revision=max(plan.revision, now.revision))
    return Catalog(target.document, plans)


def _carried(known: Plan, latest: Content, document: Document, to_new: bool, *, drop: bool) -> Plan:
    if drop:
        return Plan(latest, known.revision)
    earlier = {
        number: _adapted(content, latest, document) for number, content in known.earlier.items()
    }
    was, revision = _adapted(known.latest, latest, document), known.revision
    if was != latest:
        earlier = {**earlier, revision: was} if to_new else {}
        revision += to_new
    kept: dict[int, Content] = {}
    following = latest
    for number in sorted(earlier, reverse=True):
        if earlier[number] != following:
            kept[number] = following = earlier[number]
    return Plan(latest, revision, kept)


def _adapted(content: Content, latest: Content, document: Document) -> Content:
    """An earlier revision with the features of today."""
    grants: Grants = {}
    for feature_id, grant in content.grants.items():
        feature = document["features"].get(feature_id)
        if feature is None:
            continue
        now = _with_values(grant, feature.get("values")) or latest.grants.get(feature_id)
        if now is not None:
            grants[feature_id] = now
    return Content(grants, content.billing)


def _with_values(grant: Grant, values: Sequence[str] | None) -> Grant | None:
    """A grant in the order of values of today; None: one of its own is gone."""
    if values is None:
        return grant
    otherwise = None if grant.otherwise is None else _with_values(grant.otherwise, values)
    lost = grant.otherwise is not None and otherwise is None
    if lost or not set(grant.values) <= set(values):
        return None
    kept = tuple(value for value in values if value in grant.values)
    return replace(grant, values=kept, otherwise=otherwise)
