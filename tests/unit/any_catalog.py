"""Any catalog and any customer, drawn apart: what is stored of customers outlives every catalog.

Catalogs are parsed from text and read back from their published document, as servers get them.
Records use the names of all of them, whatever features, plans and add-ons were when they were
written. All of it follows from a seed.
"""

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from quotad.catalog import Catalog, Snapshot, Source, carry, compile_snapshot, parse
from quotad.customers.checks import ANCHOR_MAX_MS
from quotad.errors import CatalogError
from quotad.model import QUANTITY_MAX, Anchor, Entry, Limit, Unit, Window
from quotad.records import CustomerRecord, Override, Promotion, Subscription

T = TypeVar("T")

NOW = 1_800_000_000_000
LAST_MS = 253_402_300_799_000
TIMES = (0, NOW - 10**10, NOW - 1, NOW, NOW + 1, NOW + 10**10, LAST_MS)

FEATURE_IDS = ("a", "b", "c", "d")
POOL_ID = "pool"
PLAN_IDS = ("free", "pro", "team")
ADDON_IDS = ("x", "y")
RESOURCE_IDS = ("", "w1", "w2")
VALUES = ("none", "email", "phone")

KINDS: tuple[dict[str, Any], ...] = (
    {"type": "metered"},
    {"type": "metered", "kind": "gauge"},
    {"type": "metered", "kind": "concurrency"},
    {"type": "metered", "credit": {"pool": POOL_ID, "cost": 2}},
    {"type": "metered", "credit": {"pool": POOL_ID, "cost": 10**9}},
    {"type": "boolean"},
    {"type": "config"},
    {"type": "config", "values": VALUES},
    {"type": "config", "values": ["post", "phone", "fax"]},
)
PERS: tuple[dict[str, Any], ...] = (
    {},
    {"per": "minute"},
    {"per": "month"},
    {"per": "month", "anchor": "subscription"},
    {"per": "month", "anchor": "first_use", "timezone": "Europe/Berlin"},
    {"per": "5 hours", "timezone": "Asia/Kolkata"},
    {"per": "week", "week_starts": "sunday"},
    {"per": "100 years", "anchor": "subscription"},
)
AMOUNTS = (0, 1, 5, 7, 10**9)
ZONES = (ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"))


class Draw(random.Random):
    """Chance, with the words of catalogs and records."""

    def some(self, names: Sequence[T], least: int = 0, most: int | None = None) -> list[T]:
        """Some of them, in any order, none of them twice."""
        return self.sample(names, self.randint(least, len(names) if most is None else most))

    def snapshot(self) -> Snapshot:
        """What is in force after one or two publishes."""
        catalog = self.catalog()
        if self.random() < 0.5:
            catalog = carry(catalog, self.catalog())
        return compile_snapshot(Catalog.from_document(catalog.document), 7)

    def catalog(self) -> Catalog:
        """A catalog that may be published; without its add-ons where they do not fit."""
        text = self._text()
        try:
            return _parsed(text)
        except CatalogError:
            return _parsed({key: said for key, said in text.items() if key != "addons"})

    def _text(self) -> dict[str, Any]:
        kinds: dict[str, dict[str, Any]] = {POOL_ID: {"type": "metered", "decimals": 6}}
        kinds |= {feature_id: self.choice(KINDS) for feature_id in self.some(FEATURE_IDS)}
        plan_ids = self.some(PLAN_IDS, 1)
        text: dict[str, Any] = {
            "version": 1,
            "features": kinds,
            "plans": {name: self._plan(kinds, name, plan_ids[0]) for name in plan_ids},
            "addons": {name: self._addon(kinds) for name in self.some(ADDON_IDS)},
        }
        if self.random() < 0.5:
            text["default_plan"] = plan_ids[0]
        return text

    def _plan(self, kinds: Mapping[str, dict[str, Any]], name: str, base: str) -> dict[str, Any]:
        plan: dict[str, Any] = {
            "entitlements": {each: self._entry(kinds[each]) for each in self.some(list(kinds))},
            "apply_to": self.choice(["all", "new"]),
            "billing": self.choice(["month", "week", "year", "100 years"]),
            "usage_on_change": self.choice(["keep", "reset"]),
        }
        if name != base:
            plan["archived"] = self.random() < 0.3
            if self.random() < 0.5:
                plan["extends"] = base
        return plan

    def _entry(self, kind: dict[str, Any]) -> Any:
        """What a plan says of a feature, for all of its customers or for a share of them."""
        said = self._right(kind)
        if said is False or self.random() < 0.6:
            return said
        if self.random() < 0.3:
            times = {"from": self.choice(["2026-01-01", "2027-01-15"]), "until": "2027-06-01"}
            span = {key: times[key] for key in self.some(list(times), 1)}
            if isinstance(said, dict):
                return said | span
            if kind["type"] == "config":
                return {"value": said} | span
            return span if said is True else {"unlimited": True} | span
        rollout = {"rollout": {"percent": self.choice([0, 0.01, 50, 100])}}
        rollout["rollout"] |= self.choice([{}, {"inherit": True}, {"inherit": False}])
        if isinstance(said, dict):
            return said | rollout
        if kind["type"] == "config":
            return {"value": said} | rollout
        return rollout if said is True else {"unlimited": True} | rollout

    def _right(self, kind: dict[str, Any]) -> Any:
        if kind["type"] == "boolean":
            return self.random() < 0.8
        if "values" in kind:
            return self.some(kind["values"], 1)
        if kind["type"] == "config":
            return self.choice([10, -2.5, 1e20, "", "red", "1e9999"])
        if kind.get("kind") == "gauge":
            return self._amount()
        if kind.get("kind") == "concurrency":
            return self.choice([{"limit": self.choice(AMOUNTS)}, "unlimited"])
        said = self.choice(["unlimited", False, True, "limits", "limits"])
        if said == "limits" or (said is True and "credit" not in kind):
            return {"limits": [self._amount() | per for per in self.some(PERS, 1, 3)]}
        return said

    def _amount(self) -> dict[str, Any]:
        limit: dict[str, Any] = {"limit": self.choice(AMOUNTS)}
        if limit["limit"] and self.random() < 0.2:
            limit = {"limit": {"per_unit": limit["limit"]}}
        return self.choice(
            [
                limit,
                limit | {"soft": True},
                limit | {"soft": True, "overage_limit": self.choice(AMOUNTS)},
                limit | {"enforce": "shadow"},
                {"unlimited": True},
            ]
        )

    def _addon(self, kinds: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        sold = self.some(list(kinds), 1, 2 if len(kinds) > 1 else 1)
        entries = {feature_id: self._bought(kinds[feature_id]) for feature_id in sold}
        unsold = {"archived": True} if self.random() < 0.1 else {}
        return {"entitlements": entries, "max_quantity": self.randint(1, 3), **unsold}

    def _bought(self, kind: dict[str, Any]) -> Any:
        """What an add-on says of a feature."""
        if kind["type"] != "metered":
            return True if kind["type"] == "boolean" else "phone"
        if self.random() < 0.2:
            return True if "credit" in kind else "unlimited"
        per = {} if "kind" in kind else self.choice([{"per": "lifetime"}, *PERS])
        amount = self.choice([1, 10**9, {"per_unit": 2}])
        return {self.choice(["add", "set"]): amount, **per}

    def record(self) -> CustomerRecord:
        """A customer as it may be stored, by whatever catalog it was written."""
        phases = [self._phase() for _ in range(self.randint(0, 4))]
        names = [*FEATURE_IDS, POOL_ID, "gone"]
        overrides = [
            Override(name, self._said(name), self.choice(RESOURCE_IDS), self.choice([None, *TIMES]))
            for name in self.choices(names, k=self.randint(0, 2))
        ]
        promotions = [
            Promotion(
                name, self._said(name), self.choice([None, *TIMES]), self.choice(RESOURCE_IDS)
            )
            for name in self.choices(names, k=self.randint(0, 2))
        ]
        return CustomerRecord(
            "acme",
            tuple({(p.subscription_id, p.resource_id, p.start_ms): p for p in phases}.values()),
            self.random() < 0.1,
            1,
            self.choice([1, NOW, NOW + 5]),
            tuple({(o.feature_id, o.resource_id): o for o in overrides}.values()),
            tuple(
                {(p.feature_id, p.resource_id): p for p in promotions if p.entry.granted}.values()
            ),
            {name: self.randint(1, 3) for name in self.some(RESOURCE_IDS, 0, 1)},
        )

    def _phase(self) -> Subscription:
        addon_ids = self.some([*ADDON_IDS, "gone"], 0, 2)
        return Subscription(
            self.choice([*PLAN_IDS, *PLAN_IDS, "gone"]),
            self.choice([0, NOW - 1, *TIMES]),
            self.choice(["", "s1"]),
            self.choice(["", *RESOURCE_IDS]),
            self.choice([None, None, *TIMES]),
            self.choice([None, *TIMES[:-1], ANCHOR_MAX_MS - 1]),
            self.randint(1, 3),
            {addon_id: self.choice([1, 2, 1_000_000]) for addon_id in addon_ids},
            self.random() < 0.3,
            self.random() < 0.3,
            unit_quantity=self.choice([1, 1, 50, 10**9]),
        )

    def _said(self, feature_id: str) -> Entry:
        """What may stand in an override, whatever kind of feature it was written for."""
        what = self.choice(["limits", "limits", "unlimited", "true", "revoked", "text", "values"])
        if what == "limits":
            windows = {self._window(): None for _ in range(self.randint(1, 3))}
            # Of the pool, limits are whole credits, and it has six decimals in every catalog.
            unit = 10**6 if feature_id == POOL_ID else 1
            return Entry(limits=tuple(self._limit(window, unit) for window in windows))
        if what == "text":
            return Entry(value=self.choice(["10", "-3", "1e9999", "red"]))
        if what == "values":
            values = self.some([*VALUES, "", "gone"], 1)
            return Entry(value=values[-1], values=tuple(values))
        return {
            "unlimited": Entry(limits=None),
            "true": Entry(),
            "revoked": Entry(granted=False),
        }[what]

    def _window(self) -> Window | None:
        if self.random() < 0.3:
            return None
        units, anchors = list(Unit), list(Anchor)
        count = self.choice([1, 2, 5, 100])
        return Window(self.choice(units), count, self.choice(anchors), self.choice(ZONES))

    def _limit(self, window: Window | None, unit: int) -> Limit:
        numbers = [0, unit, 5 * unit, 7 * unit, QUANTITY_MAX]
        how, number = self.choice(["hard", "soft", "shadow", "none"]), self.choice(numbers)
        if how == "soft":
            return Limit(number, window, soft=True, overage_limit=self.choice([None, *numbers]))
        return Limit(None if how == "none" else number, window, shadow=how == "shadow")


def _parsed(text: dict[str, Any]) -> Catalog:
    return parse([Source("plans.json", json.dumps(text))])
