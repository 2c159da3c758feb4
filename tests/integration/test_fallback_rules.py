"""What the policies of features make of every verb and limit while the store is gone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quotad.decision import (
    ConsumeAllDecision,
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    Mode,
    Reason,
)
from quotad.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    NotReady,
    QuotadError,
    StoreUnavailable,
)
from quotad.fallback import ALLOW, FallbackPolicy, WithoutStore
from quotad.held import Setting
from quotad.slots import AcquireRequest
from tests.deciding import Bench, bench
from tests.fallback import FallingBack, falling_back

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered, on_store_failure: allow}
  mails: {type: metered, on_store_failure: {local: 10 %}}
  soft: {type: metered, on_store_failure: {local: 10 %}}
  stopped: {type: metered, on_store_failure: {local: 50 %}}
  free: {type: metered, on_store_failure: {local: 1 %}}
  seats: {type: metered, kind: gauge, on_store_failure: {local: 50 %}}
  export: {type: boolean, on_store_failure: allow}
  region: {type: config, values: [eu, us], on_store_failure: allow}
  sso: {type: boolean, on_store_failure: allow}
  strict: {type: metered}
  shadow: {type: metered, on_store_failure: {local: 10 %}}
  chats: {type: metered, on_store_failure: allow}
  credits: {type: metered, decimals: 2}
  images: {type: metered, credit: {pool: credits, cost: 2}}
  jobs: {type: metered, kind: concurrency}
plans:
  free:
    entitlements:
      calls: {limit: 100, per: month}
      mails: {limits: [{limit: 500, per: month}, {limit: 60, per: day}]}
      soft: {limit: 10, per: month, soft: true}
      stopped: {limit: 10, per: month, soft: true, overage_limit: 10}
      free: {unlimited: true}
      seats: {limit: 10}
      export: true
      region: [eu]
      strict: {limit: 100}
      shadow: {limit: 10, per: month, enforce: shadow}
      chats: {limit: 5, per: 5 hours, anchor: first_use}
      credits: {limit: 100}
      images: true
      jobs: {limit: 3}
  pro:
    extends: free
    entitlements:
      calls: {limit: 1000, per: month}
      sso: true
"""


@pytest.fixture
def worker(store_url: str, prefix: str, tmp_path: Path) -> Iterator[FallingBack]:
    with bench(store_url, prefix) as made, falling_back(made, tmp_path / "j") as worker:
        made.publish(CATALOG)
        made.consume("acme", "calls", 95)
        worker.lose_store()
        yield worker


def usage(worker: FallingBack, feature_id: str) -> list[int]:
    return worker.bench.usage(feature_id)


def request(feature_id: str, quantity: int = 1, **fields: Any) -> ConsumeRequest:
    return ConsumeRequest("acme", feature_id, quantity, **fields)


def shown(answer: Decision | QuotadError) -> Any:
    """What a caller decides by."""
    if isinstance(answer, QuotadError):
        return type(answer).__name__
    assert answer.is_fallback
    assert answer.detailed
    return answer.allowed, Reason(answer.reason).name, answer.granted, answer.used, answer.limit


OK, FULL = "WITHIN_LIMIT", "LIMIT_EXCEEDED"
BEST, CHECK, ADJUST = Mode.BEST_EFFORT, Mode.CHECK_ONLY, Mode.ADJUST_ONLY

# One after the other: request, answer, and what it adds to the journal.
TABLE: list[tuple[ConsumeRequest, Any, int]] = [
    # allow: whatever was used before, but no call above the limit itself.
    (request("calls", 7), (True, OK, 7, 7, 100), 7),
    (request("calls", 100), (True, OK, 100, 107, 100), 100),
    (request("calls", 101), (False, FULL, 0, 107, 100), 0),
    (request("calls", 0), (True, OK, 0, 107, 100), 0),
    (request("calls", 1, mode=CHECK), (True, OK, 0, 107, 100), 0),
    (request("calls", 1, mode=BEST), (False, FULL, 0, 107, 100), 0),
    (request("calls", 500, mode=ADJUST), (True, "OVER_LIMIT", 500, 607, 100), 500),
    (request("calls", -1), "InvalidRequest", 0),
    (request("calls", -1, mode=Mode.REFUND), "NotReady", 0),
    # local: 10 % of the smaller limit, 60 per day, with the terms of a share.
    (request("mails", 4), (True, OK, 4, 4, 6), 4),
    (request("mails", 3), (False, FULL, 0, 4, 6), 0),
    (request("mails", 3, mode=CHECK), (False, FULL, 0, 4, 6), 0),
    (request("mails", 5, mode=BEST), (True, OK, 2, 6, 6), 2),
    (request("mails", 1), (False, FULL, 0, 6, 6), 0),
    (request("mails", 1, mode=BEST), (False, FULL, 0, 6, 6), 0),
    # Limits that deny nothing have no share; a hard stop has.
    (request("soft", 30), (True, "OVER_SOFT_LIMIT", 30, 30, 10), 30),
    (request("stopped", 11), (False, FULL, 0, 0, 10), 0),
    (request("stopped", 10), (True, OK, 10, 10, 10), 10),
    (request("free", 1_000), (True, "UNLIMITED", 1_000, 1_000, None), 1_000),
    (request("shadow", 30), (True, "UNLIMITED", 30, 30, None), 30),
    # Gauges give back, and have room again.
    (request("seats", 5), (True, OK, 5, 5, 5), 5),
    (request("seats", 1), (False, FULL, 0, 5, 5), 0),
    (request("seats", -2), (True, OK, -2, 3, 5), -2),
    (request("seats", 2), (True, OK, 2, 5, 5), 2),
    # What the plan alone decides, as it is in memory.
    (request("export"), (True, "FEATURE_ENABLED", 0, 0, None), 0),
    (request("region", requested_values=("eu",)), (True, "FEATURE_ENABLED", 0, 0, None), 0),
    (request("region", requested_values=("us",)), (False, "VALUE_NOT_ALLOWED", 0, 0, None), 0),
    (request("sso"), (False, "NOT_ENTITLED", 0, 0, None), 0),
    # Only the store knows.
    (request("strict"), "NotReady", 0),
    (request("unknown"), "NotReady", 0),
    (request("chats"), "NotReady", 0),
    (request("credits"), "NotReady", 0),
    (request("images"), "NotReady", 0),
    (request("jobs", mode=CHECK), "NotReady", 0),
    (request("calls", mode=BEST, idempotency_key="k"), "NotReady", 0),
]


def test_every_verb_on_every_limit_is_answered_by_its_policy_and_counted_as_it_was(
    worker: FallingBack,
) -> None:
    for asked, expected, taken in TABLE:
        before = len(worker.entries())
        answer = worker.decide(asked)[0]

        assert expected == shown(answer), asked
        written = worker.entries()[before:]
        assert [taken] * bool(taken) == [each.counters[0].amount for each in written], asked

    worker.find_store()
    settled = worker.settle()

    assert {"counted": sum(bool(taken) for _, _, taken in TABLE)} == settled
    assert [] == worker.entries()
    assert [95 + 607] == usage(worker, "calls")
    assert [6, 6] == usage(worker, "mails")
    assert [5] == usage(worker, "seats")
    assert [1_000] == usage(worker, "free")
    # Now nothing more is admitted.
    assert not worker.bench.consume("acme", "calls").allowed


def test_a_batch_is_written_down_at_once_and_each_is_answered_in_its_place(
    worker: FallingBack,
) -> None:
    syncs = worker.journal.files()
    assert [] == syncs

    answers = worker.decide(
        request("calls"), request("strict"), request("calls", 2), request("mails", 7)
    )

    assert [
        (True, OK, 1, 1, 100),
        "NotReady",
        (True, OK, 2, 3, 100),
        (False, FULL, 0, 0, 6),
    ] == [shown(each) for each in answers]
    assert [1, 2] == [each.sequence for each in worker.entries()]
    denied = answers[3]
    assert isinstance(denied, Decision)
    assert 1_000 == denied.retry_after_ms  # the store may be back


def all_of(*items: ConsumeRequest, **fields: Any) -> ConsumeAllRequest:
    return ConsumeAllRequest("acme", "", items=items, **fields)


def test_several_features_are_let_through_together_when_all_policies_do(
    worker: FallingBack,
) -> None:
    calls, mails, export = request("calls", 2), request("mails", 6), request("export")
    (taken,) = worker.decide(all_of(calls, mails, export))
    assert isinstance(taken, ConsumeAllDecision)
    assert taken.allowed
    assert taken.is_fallback
    assert [2, 6, 0] == [each.granted for each in taken.items]
    assert all(each.is_fallback for each in taken.items)

    # Nothing of it where one is denied, by its share, its plan or its policy.
    for stopped_by, item in ((1, mails), (1, request("sso"))):
        (answer,) = worker.decide(all_of(calls, item))
        assert isinstance(answer, ConsumeAllDecision)
        assert (False, stopped_by) == (answer.allowed, answer.stopped_by)
        assert [0, 0] == [each.granted for each in answer.items]
    assert [NotReady, NotReady] == [
        type(worker.decide(all_of(calls, request(name)))[0]) for name in ("strict", "images")
    ]

    worker.find_store()
    assert {"counted": 1} == worker.settle()
    assert ([97], [6, 6]) == (usage(worker, "calls"), usage(worker, "mails"))


def test_a_share_is_divided_among_workers_and_lasts_for_the_period(
    store_url: str, prefix: str, tmp_path: Path
) -> None:
    with (
        bench(store_url, prefix) as made,
        falling_back(made, tmp_path / "j", workers=4) as worker,
    ):
        made.publish(CATALOG)
        made.consume("acme", "seats", 0)
        for _ in range(3):  # however often the store goes
            worker.lose_store()
            worker.consume("seats", 1)
            worker.find_store()
            worker.settle()
        worker.lose_store()

        # 50 % of 10, a quarter of it, rounded down.
        assert (False, FULL, 0, 1, 1) == shown(worker.consume("seats", 1))
        assert [1] == usage_later(made, "seats")


def usage_later(made: Bench, feature_id: str) -> list[int]:
    assert made.health.probe()
    return made.usage(feature_id)


def test_a_worker_that_takes_over_a_journal_lets_no_more_through_than_the_one_before(
    worker: FallingBack, tmp_path: Path
) -> None:
    assert worker.consume("mails", 6).allowed
    worker.die()
    with falling_back(worker.bench, tmp_path / "j") as next_:
        next_.settling.adopt()

        assert (False, FULL, 0, 6, 6) == shown(next_.consume("mails"))
        next_.find_store()
        assert {"counted": 1} == next_.settle()
    assert [6, 6] == usage(worker, "mails")


def test_the_default_is_that_of_the_catalog_and_else_that_of_the_server(
    store_url: str, prefix: str, tmp_path: Path
) -> None:
    text = """
version: 1
{default}
default_plan: free
features:
  a: {{type: metered}}
  b: {{type: metered, on_store_failure: deny}}
  c: {{type: boolean}}
plans: {{free: {{entitlements: {{a: {{limit: 10}}, b: {{limit: 10}}, c: true}}}}}}
"""
    share = FallbackPolicy(WithoutStore.LOCAL, 5_000)
    for default, of_server, limits in (
        ("", ALLOW, [10, None, None]),
        ("", share, [5, None, None]),
        ("on_store_failure: {local: 20 %}", ALLOW, [2, None, None]),
    ):
        with (
            bench(store_url, f"{prefix}{default[-4:]}{of_server.kind}") as made,
            falling_back(made, tmp_path / "j", default=of_server) as worker,
        ):
            made.publish(text.format(default=default))
            made.consume("acme", "a", 0)
            worker.lose_store()

            a, b, c = worker.decide(request("a"), request("b"), request("c"))

            assert isinstance(a, Decision)
            assert isinstance(c, Decision)
            assert [limits[0], True] == [a.limit, c.allowed]
            assert isinstance(b, NotReady)
            worker.find_store()
            worker.settle()


def test_customers_that_are_not_in_memory_have_the_default_plan_and_no_denial_of_it(
    worker: FallingBack,
) -> None:
    worker.find_store()
    worker.bench.provision("big", "pro")
    worker.lose_store()
    ask = [ConsumeRequest("big", name, 50) for name in ("calls", "sso", "export")]

    calls, sso, export = worker.decide(*ask)

    assert (True, OK, 50, 50, 100) == shown(calls)
    assert (True, "FEATURE_ENABLED", 0, 0, None) == shown(export)
    assert isinstance(sso, NotReady)  # the customer may well have it
    worker.find_store()
    assert {"counted": 1} == worker.settle()
    (told,) = worker.bench.decide(ConsumeRequest("big", "calls", mode=CHECK))
    assert (1000, 50) == (told.limit, told.used)


def test_a_resource_is_counted_by_itself(worker: FallingBack) -> None:
    worker.find_store()
    worker.bench.provision("acme", "free")
    worker.bench.provision("acme", "pro", resource_id="site:1")
    (before,) = worker.bench.decide(request("calls", 3, resource_id="site:1"))
    assert 1000 == before.limit
    worker.lose_store()

    answer = worker.consume("calls", 4, resource_id="site:1")

    assert (True, OK, 4, 4, 1000) == shown(answer)
    worker.find_store()
    worker.settle()
    (told,) = worker.bench.decide(request("calls", mode=CHECK, resource_id="site:1"))
    assert 7 == told.used


def test_an_explained_call_is_answered_without_its_sources(worker: FallingBack) -> None:
    answer = worker.consume("calls", explain=True)

    assert (True, OK, 1, 1, 100) == shown(answer)
    assert answer.explanation.left_out
    assert () == answer.explanation.sources


def test_what_needs_the_store_says_so(worker: FallingBack) -> None:
    engine = worker.engine
    slot = AcquireRequest("acme", "", idempotency_key="s", items=(request("jobs"),), ttl_ms=1_000)
    for call in (
        lambda: engine.entitlement("acme", "calls"),
        lambda: engine.entitlements("acme"),
        lambda: engine.reservations.reserve(request("calls"), "h", 1_000),
        lambda: engine.leases.acquire(request("calls", 5), "l", 1_000),
        lambda: engine.slots.acquire(slot),
        lambda: engine.set_usage(Setting("acme", "calls", 5)),
    ):
        with pytest.raises(StoreUnavailable):
            call()
    assert isinstance(engine.undo(request("calls", mode=Mode.REFUND), "k"), StoreUnavailable)
    assert [] == worker.entries()


def test_a_key_is_answered_again_and_counted_once(worker: FallingBack) -> None:
    first = worker.consume("calls", 2, idempotency_key="k")
    again = worker.consume("calls", 2, idempotency_key="k")
    other = worker.consume("calls", 3, idempotency_key="k")
    twice = worker.decide(*[request("mails", 3, idempotency_key="m")] * 2)

    assert (2, 2, False) == (first.granted, first.used, first.replayed)
    assert (2, 2, True, True) == (again.granted, again.used, again.replayed, again.is_fallback)
    assert isinstance(other, IdempotencyMismatch)
    assert [False, True] == [getattr(each, "replayed", None) for each in twice]
    worker.find_store()
    assert {"counted": 2} == worker.settle()
    assert ([97], [3, 3]) == (usage(worker, "calls"), usage(worker, "mails"))
    # From here on the store answers it.
    told = worker.consume("calls", 2, idempotency_key="k")
    assert (True, False, 2, 97) == (told.replayed, told.is_fallback, told.granted, told.used)


def test_a_key_that_the_store_has_taken_is_not_counted_again(worker: FallingBack) -> None:
    worker.find_store()
    worker.consume("calls", 2, idempotency_key="before")
    worker.lose_store()
    worker.consume("calls", 2, idempotency_key="before")
    worker.consume("calls", 1, idempotency_key="after")
    worker.consume("calls", 1, idempotency_key="other")
    worker.find_store()
    worker.consume("calls", 1, idempotency_key="after")
    worker.consume("calls", 1, idempotency_key="other", resource_id="")
    assert [99] == usage(worker, "calls")

    assert {"replayed": 3} == worker.settle()
    assert [99] == usage(worker, "calls")


def test_a_key_that_was_used_for_something_else_keeps_nothing_from_being_counted(
    worker: FallingBack,
) -> None:
    worker.consume("calls", 2, idempotency_key="k")
    worker.find_store()
    worker.consume("mails", 1, idempotency_key="k")

    assert {"counted": 1} == worker.settle()
    assert ([97], [1, 1]) == (usage(worker, "calls"), usage(worker, "mails"))
    assert worker.consume("mails", 1, idempotency_key="k").replayed


def test_a_journal_that_is_full_denies_and_gives_back_what_it_had_no_room_for(
    store_url: str, prefix: str, tmp_path: Path
) -> None:
    with (
        bench(store_url, prefix) as made,
        falling_back(made, tmp_path / "j", bytes_max=600) as worker,
    ):
        made.publish(CATALOG)
        made.consume("acme", "mails", 0)
        made.consume("acme", "export")
        worker.lose_store()
        answers = [worker.consume("mails", 1, idempotency_key=f"k{i}") for i in range(6)]
        taken = sum(isinstance(each, Decision) for each in answers)

        assert 0 < taken < 6
        assert all(isinstance(each, NotReady) for each in answers[taken:])
        twice = worker.decide(*[request("mails", 1, idempotency_key="twice")] * 2)
        assert [NotReady, NotReady] == [type(each) for each in twice]
        # What needs no journal is answered, and what was refused is not remembered.
        assert worker.consume("export").allowed
        assert taken == worker.consume("mails", 1, mode=CHECK).used
        assert isinstance(worker.consume("mails", 1, idempotency_key="k5"), NotReady)
        worker.find_store()
        assert {"counted": taken} == worker.settle()
        assert [taken, taken] == made.usage("mails")


def test_usage_that_happened_earlier_goes_to_its_period(worker: FallingBack) -> None:
    worker.find_store()
    now = worker.bench.clock.now
    worker.lose_store()
    yesterday = now - 86_400_000

    worker.consume("calls", 3, mode=ADJUST, occurred_ms=yesterday)
    gone = worker.consume("mails", 3, mode=ADJUST, occurred_ms=now - 40 * 86_400_000)

    assert isinstance(gone, InvalidRequest)
    assert [yesterday] == [each.at_ms for each in worker.entries()]
    worker.find_store()
    worker.settle()
    assert [98] == usage(worker, "calls")


def test_without_a_journal_nothing_is_let_through(worker: FallingBack) -> None:
    (answer,) = worker.bench.engine.decide([request("calls")])

    assert isinstance(answer, NotReady)


def test_before_the_store_was_reached_nothing_is_let_through(worker: FallingBack) -> None:
    worker.journal.store_id = ""

    assert isinstance(worker.consume("calls"), NotReady)
    assert isinstance(worker.consume("export"), NotReady)
