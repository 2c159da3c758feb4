"""`python -m loadtests.bench.plans`: what plans and customers in full cost.

How long the view of a customer takes (once per customer and change), and how long a large catalog
takes to read and to compile (once per version). No server and no store. The least of many runs,
which is what is left when nobody disturbs. Exit code 1 when something takes longer than it may.
"""

import argparse
import json
import sys
import timeit
from collections.abc import Callable
from functools import partial

import msgspec

from loadtests.bench.report import as_text
from quotad.catalog import Catalog, Snapshot, Source, compile_snapshot, parse
from quotad.engine import ViewCache
from quotad.model import Entry, Limit, Unit, Window
from quotad.records import CustomerRecord, Override, Promotion, StoredCustomer, Subscription
from quotad.store import KeySpace

PLANS, FEATURES, ADDONS = 50, 200, 3
NOW_MS = 1_800_000_000_000
MONTH = Window(Unit.MONTH)

VIEW_MAX_US = 30.0
COMPILE_MAX_MS = 200.0
REPEATS = 200


class Cost(msgspec.Struct, frozen=True):
    """One thing that takes time."""

    what: str
    seconds: float
    unit: str
    seconds_max: float | None = None
    """None: nothing is promised."""

    @property
    def row(self) -> list[str]:
        """Of the table."""
        scale = {"us": 1e6, "ms": 1e3}[self.unit]
        at_most = "" if self.seconds_max is None else f"{self.seconds_max * scale:.0f} {self.unit}"
        return [self.what, f"{self.seconds * scale:.1f} {self.unit}", at_most]

    @property
    def too_long(self) -> bool:
        """Whether it takes longer than it may."""
        return self.seconds_max is not None and self.seconds > self.seconds_max


TYPES = ("metered", "boolean", "config")


def _right(plan: int, feature: int) -> object:
    """What a plan says of a feature."""
    metered = {"limit": 1000 * (plan + 1) + feature, "per": "month"}
    return (metered, True, 1000 * plan + feature)[feature % len(TYPES)]


def document() -> str:
    """A catalog as JSON: every plan grants every feature, a third of each type."""
    features = {f"feature-{i}": {"type": TYPES[i % len(TYPES)]} for i in range(FEATURES)}
    plans = {
        f"plan-{p}": {"entitlements": {f"feature-{i}": _right(p, i) for i in range(FEATURES)}}
        for p in range(PLANS)
    }
    addons = {
        f"addon-{a}": {"entitlements": {f"feature-{3 * a}": {"add": 100}}} for a in range(ADDONS)
    }
    return json.dumps({"version": 1, "features": features, "plans": plans, "addons": addons})


def least(act: Callable[[], object], number: int, repeats: int) -> float:
    """Seconds of one run."""
    return min(timeit.repeat(act, number=number, repeat=repeats)) / number


def views(snapshot: Snapshot, repeats: int) -> list[Cost]:
    """A plain customer's view, and one with everything."""
    plain = CustomerRecord("acme", (Subscription("plan-7", NOW_MS - 1000),))
    bought = Subscription(
        "plan-7", NOW_MS - 1000, addons={f"addon-{a}": a + 1 for a in range(ADDONS)}
    )
    full = CustomerRecord(
        "acme",
        (bought,),
        overrides=(Override("feature-30", Entry(limits=(Limit(5, MONTH),))),),
        promotions=(Promotion("feature-33", Entry(limits=(Limit(10**6, MONTH),)), NOW_MS * 2),),
    )
    cache = ViewCache(KeySpace("bench"), 1000)
    everything = f"a subscription, {ADDONS} add-ons, an override, a promotion"
    costs = []
    for what, record in (("a subscription", plain), (everything, full)):
        act = partial(cache.put, "acme", StoredCustomer(1, record), snapshot, NOW_MS)
        costs.append(Cost(f"view: {what}", least(act, 100, repeats), "us", VIEW_MAX_US / 1e6))
    return costs


def catalogs(text: str, repeats: int) -> list[Cost]:
    """Reading a catalog and compiling it."""
    catalog = parse([Source("plans.json", text)])
    stored = catalog.document
    size = f"{PLANS} plans x {FEATURES} features"
    reading = least(lambda: Catalog.from_document(stored).definitions, 1, repeats)
    compiling = least(lambda: compile_snapshot(catalog, 1), 1, repeats)
    return [
        Cost(f"read: {size}", reading, "ms"),
        Cost(f"compile: {size}", compiling, "ms", COMPILE_MAX_MS / 1e3),
    ]


def measure(repeats: int) -> list[Cost]:
    """Everything."""
    text = document()
    snapshot = compile_snapshot(parse([Source("plans.json", text)]), 1)
    return views(snapshot, repeats) + catalogs(text, max(1, repeats // 10))


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.plans", description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    costs = measure(max(1, parser.parse_args().repeats))
    print(as_text([["of", "takes", "may take"], *(cost.row for cost in costs)]))
    late = [cost.what for cost in costs if cost.too_long]
    if late:
        print(f"FAILED: longer than it may take: {'; '.join(late)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
