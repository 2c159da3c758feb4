"""What is planned of features asked for together is kept, and never stale: a random life of
customers is decided the same by an engine that keeps it, and by one that plans every call."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import permutations
from typing import Any

import msgspec
import pytest

from quotad.catalog import Snapshot
from quotad.customers.overrides import (
    NewEntitlement,
    grant_promotion,
    remove_override,
    set_override,
)
from quotad.customers.subscriptions import Provision, archive, provision, unarchive
from quotad.decision import (
    AllTaken,
    ConsumeAllDecision,
    ConsumeAllRequest,
    ConsumeRequest,
    Mode,
    Reason,
    quantities_alone,
)
from quotad.engine.rounds import KeptTogether
from quotad.engine.settling import Settles
from quotad.engine.views import SETS_MAX
from quotad.errors import InvalidRequest, NotFound, StoreError
from quotad.held import UsedItem
from quotad.records import CustomerRecord
from quotad.store import Charge, Settlement
from tests.deciding import Bench, at, bench

Change = Callable[[CustomerRecord, Snapshot], CustomerRecord]

CATALOG = """
version: 1
default_plan: free
features:
  calls: {{type: metered}}
  words: {{type: metered}}
  pages: {{type: metered}}
  files: {{type: metered, kind: gauge}}
  budget: {{type: metered, decimals: 1}}
  images: {{type: metered, credit: {{pool: budget, cost: 2}}}}
  export: {{type: boolean}}
plans:
  free:
    entitlements:
      calls: {{limit: 60, per: day}}
      words: {{limit: 900, per: month}}
      pages: {{limit: 8, per: hour{pages}}}
      files: {{limit: 9}}
      budget: {{limit: 90, per: day}}
      images: true
  pro:
    extends: free
    usage_on_change: reset
    entitlements:
      calls: {{limit: {calls}, per: day}}
      words: {{limit: 5000, per: month, anchor: subscription}}
      files: {{limit: 30{files}}}
      export: true
"""
VARIANTS = [
    {"calls": "90", "pages": "", "files": ""},
    {"calls": "30", "pages": "", "files": ""},
    {"calls": "90", "pages": ", soft: true", "files": ""},
    {"calls": "90", "pages": ", rollout: {percent: 50}", "files": ""},
    {"calls": "90", "pages": ", enforce: shadow", "files": ", rollout: {percent: 30}"},
]
FEATURES = ("calls", "words", "pages", "files", "images", "export")
CUSTOMERS = ("acme", "umbrella", "initech")
STEPS = 150
LIVES = 4


def request(customer: str, *items: tuple[str, int], **fields: Any) -> ConsumeAllRequest:
    """As it is read from the wire."""
    mode, explain = int(fields.get("mode", Mode.NORMAL)), bool(fields.get("explain"))
    asked = tuple(
        [
            ConsumeRequest(customer, *item, mode, explain=explain, every_limit=explain)
            for item in items
        ]
    )
    amounts, features = quantities_alone(asked)
    return ConsumeAllRequest(
        customer, "", 0, **fields, items=asked, amounts=amounts, features=features
    )


def planned_each(request: ConsumeRequest) -> ConsumeRequest:
    """The same, so that nothing of it is kept."""
    if not isinstance(request, ConsumeAllRequest):
        return request
    return msgspec.structs.replace(request, amounts=(), features=())


class Watched:
    """Settles charges, and counts those of which the plan was kept."""

    def __init__(self, settles: Settles) -> None:
        self._settles = settles
        self._seen: dict[int, KeptTogether] = {}
        self.kept_again = 0

    def settle(
        self, catalog: str, charges: Sequence[Charge], *rest: Any
    ) -> tuple[list[Settlement], StoreError | None]:
        for one in charges:
            if isinstance(one, KeptTogether):  # for another quantity than the first it has no end
                self.kept_again += id(one) in self._seen or not one.until_ms
                self._seen[id(one)] = one
        return self._settles.settle(catalog, charges, *rest)


class Twins:
    """Two engines on stores of their own, one of which keeps nothing that is asked for together."""

    def __init__(self, keeping: Bench, planning: Bench) -> None:
        self.keeping, self.planning = keeping, planning
        self.both = keeping, planning
        self.settles = Watched(keeping.engine._settler._counters)
        keeping.engine._settler._settles = self.settles

    def publish(self, variant: dict[str, str]) -> None:
        for one in self.both:
            one.publish_elsewhere(CATALOG.format(**variant))

    def write(self, customer: str, change: Change) -> None:
        for one in self.both:
            snapshot = one.snapshots.current()
            with suppress(InvalidRequest, NotFound):
                one.customers.update(
                    customer,
                    lambda before: change(before or CustomerRecord(customer), snapshot),  # noqa: B023
                )

    def move_to(self, now_ms: int) -> None:
        for one in self.both:
            one.clock.now = now_ms

    def reserve(self, customer: str, hold_id: str, used: int) -> None:
        """Set some aside, ask for more meanwhile, and settle it."""
        items = ("calls", 3), ("words", 20)
        reserved = [
            one.engine.reservations.reserve(request(customer, *items), hold_id, 60_000)
            for one in self.both
        ]
        assert reserved[0].decision == reserved[1].decision
        self.decide(request(customer, *items))
        if reserved[0].decision.allowed:
            settled = [UsedItem("calls", quantity=used)]
            for one in self.both:
                one.engine.reservations.commit(customer, hold_id, settled)

    def decide(self, *requests: ConsumeRequest) -> list[Any]:
        """Decide a batch on both, and compare."""
        answers = [
            answer.in_full() if isinstance(answer, AllTaken) else answer
            for answer in self.keeping.engine.decide(requests)
        ]
        expected = self.planning.engine.decide([planned_each(one) for one in requests])
        for one, answer, planned in zip(requests, answers, expected, strict=True):
            assert planned == answer or str(planned) == str(answer), one
        return answers

    def compare_usage(self) -> None:
        """Compare what was counted of every limit."""
        for customer in CUSTOMERS:
            looks = [
                ConsumeRequest(customer, name, mode=Mode.CHECK_ONLY, every_limit=True)
                for name in FEATURES
            ]
            found = [one.engine.decide(looks) for one in self.both]
            assert found[0] == found[1], customer


@contextmanager
def twins_of(url: str, prefix: str) -> Iterator[Twins]:
    with ExitStack() as stack:
        made = [stack.enter_context(bench(url, f"{prefix}-{i}")) for i in range(2)]
        for one in made:
            one.publish(CATALOG.format(**VARIANTS[0]))
        yield Twins(*made)


@pytest.fixture
def twins(store_url: str, prefix: str) -> Iterator[Twins]:
    with twins_of(store_url, prefix) as made:
        yield made


def write_something(twins: Twins, rng: random.Random, now_ms: int) -> None:
    """Write a catalog or a customer, as another server would, without a notice."""
    customer, feature_id = rng.choice(CUSTOMERS), rng.choice(FEATURES[:4])
    value: Any = rng.choice([{"limit": rng.randrange(1, 80)}, False, "unlimited"])
    wanted = NewEntitlement(feature_id, value, end_ms=now_ms + rng.choice([60_000, 86_400_000]))
    plan = Provision(rng.choice(("free", "pro")))
    changes: dict[str, Change] = {
        "provision": lambda record, of: provision(record, plan, of, now_ms),
        "override": lambda record, of: set_override(record, wanted, of, now_ms),
        "remove": lambda record, of: remove_override(record, feature_id, "", now_ms),
        "promote": lambda record, of: grant_promotion(record, wanted, of, now_ms),
        "archive": lambda record, of: archive(record, now_ms) if rare else record,
        "unarchive": lambda record, of: unarchive(record, now_ms),
    }
    what, rare = rng.choice(["publish", *changes]), rng.random() < 0.3
    if what == "publish":
        twins.publish(rng.choice(VARIANTS))
    else:
        twins.write(customer, changes[what])


def asked(rng: random.Random, step: int) -> list[ConsumeRequest]:
    """A batch: mostly the same questions again, about several features or one."""
    batch: list[ConsumeRequest] = []
    for i in range(rng.choice([1, 3, 8])):
        customer = rng.choice(CUSTOMERS)
        features = rng.choice([FEATURES[:2], FEATURES[:3], rng.sample(FEATURES, 3), FEATURES[2:3]])
        items = [(name, rng.choice([0, 1, 1, 2, 5])) for name in features]
        fields: dict[str, Any] = {}
        if rng.random() < 0.2:
            fields = rng.choice(
                [
                    {"mode": Mode.CHECK_ONLY},
                    {"explain": True},
                    {"idempotency_key": f"k{rng.randrange(step + 1)}-{i}"},
                ]
            )
        if rng.random() < 0.1:
            items[0] = (items[0][0], -1)
        if rng.random() < 0.2:
            batch.append(ConsumeRequest(customer, features[0], rng.choice([1, 3])))
        batch.append(request(customer, *items, **fields))
    return batch


def live(twins: Twins, rng: random.Random) -> set[Reason]:
    """Decide in a random life of customers; returns why."""
    now_ms, seen = at("2031-01-15 12:00"), set()
    for step in range(STEPS):
        if rng.random() < 0.15:
            write_something(twins, rng, now_ms)
        if rng.random() < 0.3:  # back over the start of a period, and forth again; or far on
            at_start = now_ms % 60_000 == 0
            now_ms += -30_000 if at_start else 30_000
            now_ms += rng.choice([*[0] * 6, 3_600_000, 86_400_000, 31 * 86_400_000])
            twins.move_to(now_ms)
        if rng.random() < 0.1:
            twins.reserve(rng.choice(CUSTOMERS), f"hold-{step}", rng.randrange(4))
        for answer in twins.decide(*asked(rng, step)):
            if isinstance(answer, ConsumeAllDecision):
                seen |= {Reason(item.reason) for item in answer.items}
        twins.compare_usage()
    return seen


def test_a_random_life_is_decided_as_by_an_engine_that_plans_every_call(
    store_url: str, prefix: str
) -> None:
    seen, kept_again = set(), 0
    for seed in range(LIVES):
        with twins_of(store_url, f"{prefix}-{seed}") as twins:
            seen |= live(twins, random.Random(seed))
            kept_again += twins.settles.kept_again

    # The run was worth something.
    assert {"WITHIN_LIMIT", "LIMIT_EXCEEDED", "OVER_SOFT_LIMIT", "UNLIMITED", "REVOKED"} <= {
        reason.name for reason in seen
    }
    assert kept_again > 100


def test_no_more_sets_of_features_are_kept_of_a_customer_than_that(twins: Twins) -> None:
    names, sets = ("calls", "words", "files"), []
    for size in (1, 2, 3):
        sets += list(permutations(names, size))
    twins.decide(*[ConsumeRequest("acme", name) for name in names])
    for features in sets * 2:
        twins.decide(request("acme", *[(name, 1) for name in features]))

    view = twins.keeping.views.get(
        "acme", twins.keeping.snapshots.current(), twins.keeping.clock.now
    )
    assert view is not None
    assert view.together is not None
    assert sets[0] == view.together.features
    assert sets[1 : 1 + SETS_MAX] == list(view.sets or ())
