"""G11: what is counted of a ledgered feature is in the ledger exactly once."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.engine import Engine
from quotad.engine.acts import describe_entries
from quotad.engine.noted import Unreadable, read_record
from quotad.errors import StoreUnavailable
from quotad.held import Setting
from quotad.ledger import CounterLimit, LedgerEntry, LedgerKept, Takers
from quotad.lending import Renewal
from quotad.slots import SLOT, AcquireRequest
from quotad.store import Charge, ChargeScript
from quotad.store.counters import UNSETTLED
from quotad.store.ledger import LedgerRecord, LedgerStreams
from tests.deciding import Bench, bench
from tests.fallback import falling_back
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features:
  calls:   {type: metered, ledger: true}
  builds:  {type: metered, ledger: all}
  seats:   {type: metered, kind: gauge, ledger: true}
  budget:  {type: metered, decimals: 2}
  images:  {type: metered, credit: {pool: budget, cost: 0.25}, ledger: true}
  quiet:   {type: metered}
  sso:     {type: boolean, ledger: all}
  burst:   {type: metered, ledger: true}
  jobs:    {type: metered, kind: concurrency, ledger: true}
  local:   {type: metered, ledger: true, on_store_failure: allow}
plans:
  free:
    entitlements:
      calls: {limit: 1000000, per: month}
      builds:
        limits: [{limit: 5, per: day}, {limit: 9, per: month}]
      seats: {limit: 3}
      budget: {limit: 100000, per: month}
      images: true
      quiet: {limit: 100, per: day}
      burst: {limit: 50, per: 5 hours, anchor: first_use}
      jobs: {limit: 2}
      local: {limit: 9, per: month}
"""


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as engine:
        engine.publish(CATALOG)
        yield engine


def records(made: Bench) -> list[LedgerRecord]:
    streams = LedgerStreams(made.store, made.keys)
    found = streams.read(dict.fromkeys(range(streams.shards)), most=10_000)
    return [each for records in found.values() for each in records]


def entries(made: Bench) -> list[LedgerEntry]:
    return [entry for record in records(made) for entry in read_record(record)]


def counters(made: Bench) -> dict[str, int]:
    """Every usage key with what it holds."""
    names = raw(made.store).keys(f"{made.keys.prefix}:*:u:*")
    found = {name.decode(): raw(made.store).get(name) for name in names}
    return {name: int(value.partition(b"@")[0]) for name, value in found.items() if value}


def summed(made: Bench) -> dict[str, int]:
    """What the ledger has of every counter."""
    found: Counter[str] = Counter()
    for entry in entries(made):
        start = made.keys.customer(entry.customer_id).usage
        for ending, amount in entry.counters.items():
            found[start + ending] += amount
    return {name: amount for name, amount in found.items() if amount}


def ask(
    feature_id: str, quantity: int = 1, mode: Mode = Mode.NORMAL, key: str = ""
) -> ConsumeRequest:
    return ConsumeRequest("acme", feature_id, quantity, int(mode), key)


def together(*items: tuple[str, int], key: str = "") -> ConsumeAllRequest:
    return ConsumeAllRequest(
        "acme", "", 0, idempotency_key=key, items=tuple(ask(*item) for item in items)
    )


def test_what_is_taken_is_noted_with_its_reason_and_the_state_after_it(made: Bench) -> None:
    made.decide(ask("calls", 3, key="k"))

    (entry,) = entries(made)

    resets_ms = made.check("acme", "calls").resets_at_ms
    record = records(made)[0]
    assert (
        LedgerEntry(
            id=f"{record.id}-0",
            at_ms=record.at_ms,
            verb="consume",
            customer_id="acme",
            feature_id="calls",
            quantity=3,
            allowed=True,
            reason="WITHIN_LIMIT",
            key="k",
            limit=1_000_000,
            used=3,
            remaining=999_997,
            resets_at_ms=resets_ms,
            catalog_version=1,
            counters=entry.counters,
            came_to=entry.counters,
            limits={
                suffix: CounterLimit(1_000_000, 3, "month", resets_ms) for suffix in entry.counters
            },
        )
        == entry
    )
    assert counters(made) == summed(made)


def test_an_entry_has_what_each_counter_came_to_and_when_its_window_closes(made: Bench) -> None:
    made.decide(ask("burst", 3), ask("calls", 4), together(("builds", 2), ("images", 8)))
    made.decide(ask("calls", -1, Mode.REFUND), ask("burst", 2), ask("images", 4))

    came_to: dict[str, int] = {}
    closes: set[int] = set()
    for entry in entries(made):
        start = made.keys.customer("acme").usage
        assert entry.came_to.keys() == entry.counters.keys()
        came_to |= {start + ending: value for ending, value in entry.came_to.items()}
        closes |= set(entry.closes.values())

    assert counters(made) == came_to
    (burst,) = raw(made.store).keys(f"{made.keys.prefix}:*:burst:*")
    assert {int(raw(made.store).get(burst).partition(b"@")[2])} == closes


def test_denials_are_noted_only_where_the_feature_asks_for_all(made: Bench) -> None:
    made.decide(ask("calls", 2_000_000), ask("builds", 6), ask("sso"), ask("quiet", 200))

    assert [("builds", 6, "LIMIT_EXCEEDED"), ("sso", 1, "NOT_ENTITLED")] == [
        (entry.feature_id, entry.quantity, entry.reason) for entry in entries(made)
    ]


def test_of_denials_a_share_of_calls_is_noted_and_what_is_taken_always(made: Bench) -> None:
    made.publish(CATALOG.replace("ledger: all", "ledger: {denials: 0.1}"))
    for _ in range(600):
        made.decide(ask("builds", 9), ask("calls"), ask("builds", 9), ask("sso"))

    found = entries(made)
    assert 600 == len([each for each in found if each.feature_id == "calls"])
    per_record = Counter(each.id.rpartition("-")[0] for each in found if not each.allowed)
    assert {3} == set(per_record.values())  # those of a call are noted together
    assert 10 < len(per_record) < 400  # about 60

    drawn = len(records(made))
    for _ in range(50):
        made.decide(ask("builds", 9))
    assert drawn <= len(records(made)) < drawn + 40
    assert counters(made) == summed(made)


def test_a_call_without_a_ledgered_feature_writes_no_record(made: Bench) -> None:
    made.decide(
        ask("quiet"), ask("quiet", mode=Mode.CHECK_ONLY), ask("calls", mode=Mode.CHECK_ONLY)
    )

    publishes = made.keys.catalog_ledger.encode()
    assert [publishes] == raw(made.store).keys(f"{made.keys.prefix}:*:l")


def test_calls_that_are_decided_together_make_one_record(made: Bench) -> None:
    made.decide(ask("quiet"), ask("calls"), ask("builds", 9), ask("calls", 2))

    (record,) = records(made)

    assert [(1, "calls", 1), (2, "builds", 9), (3, "calls", 2)] == [
        (int(entry.id.rpartition("-")[2]), entry.feature_id, entry.quantity)
        for entry in read_record(record)
    ]


def test_an_entry_has_whose_doing_it_is_and_over_which_edge(made: Bench) -> None:
    web, jobs = ("web", "grpc"), ("jobs", "http")
    engine = made.engine
    engine.decide([ask("calls"), ask("quiet"), ask("calls", 2)], Takers((web, jobs), (0, 2)))
    engine.decide([ask("calls", 3)], Takers((web,)))
    engine.decide([ask("calls", 4)])
    engine.acting.taker = jobs
    engine.reservations.reserve(ask("calls", 20), "h", 60_000)
    engine.reservations.reserve(ask("calls", 999_970), "ended", 1)
    made.clock.now += 5_000
    engine.leases.acquire(ask("calls", 10), "l", 4_000)
    items = tuple(ask(*each) for each in (("jobs", 1), ("calls", 5)))
    engine.slots.acquire(AcquireRequest("acme", "", idempotency_key=SLOT + "s", items=items))

    whose = [(entry.verb, entry.quantity, entry.actor, entry.edge) for entry in entries(made)]
    assert [
        ("consume", 1, *web),
        ("consume", 2, *jobs),
        ("consume", 3, *web),
        ("consume", 4, "", ""),
        ("reserve", 20, *jobs),
        ("reserve", 999_970, *jobs),
        ("settle", -999_970, "", ""),
        ("lend", 10, *jobs),
        ("acquire", 5, *jobs),
    ] == whose


def test_calls_that_are_decided_again_stay_their_callers(made: Bench) -> None:
    web, jobs = ("web", "grpc"), ("jobs", "grpc")
    made.engine.reservations.reserve(ask("calls", 999_999), "ended", 1)
    made.clock.now += 5_000

    made.engine.decide([ask("calls"), ask("calls", 7)], Takers((web, jobs), (0, 1)))

    assert {("consume", 1, *web), ("consume", 7, *jobs)} == {
        (entry.verb, entry.quantity, entry.actor, entry.edge)
        for entry in entries(made)
        if entry.verb == "consume"
    }


def test_a_repeated_key_adds_no_entry(made: Bench) -> None:
    for _ in range(3):
        made.decide(ask("calls", 2, key="k"), together(("builds", 1), ("images", 2), key="all"))

    assert ["calls", "builds", "images"] == [entry.feature_id for entry in entries(made)]
    assert 1 == len(records(made))


def test_a_call_whose_answer_is_lost_is_noted_once_with_its_repetition(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = ChargeScript.settle
    lost = StoreUnavailable("the answer is lost")

    def lose(self: ChargeScript, tag: str, charges: list[Charge], *rest: Any) -> Any:
        monkeypatch.setattr(ChargeScript, "settle", settle)
        settle(self, tag, charges, *rest)
        return [UNSETTLED] * len(charges), lost

    monkeypatch.setattr(ChargeScript, "settle", lose)
    (first,) = made.engine.decide([ask("calls", 2, key="k")])
    made.health.probe()
    (second,) = made.engine.decide([ask("calls", 2, key="k")])

    assert not isinstance(first, Decision)
    assert isinstance(second, Decision)
    assert second.replayed
    assert [2] == [entry.quantity for entry in entries(made)]


def test_what_was_planned_on_an_old_catalog_is_noted_once(made: Bench) -> None:
    made.decide(ask("calls"))
    made.publish_elsewhere(CATALOG.replace("1000000", "7"))

    made.decide(ask("calls"))

    assert [(1, 1_000_000), (2, 7)] == [
        (entry.catalog_version, entry.limit) for entry in entries(made)
    ]


def test_the_ledger_has_what_every_verb_has_moved(made: Bench) -> None:
    hold = "h1"
    made.decide(ask("calls", 10), ask("seats", 2), ask("seats", -5), ask("burst", 3))
    made.decide(ask("builds", 9, Mode.BEST_EFFORT), ask("calls", 7, Mode.ADJUST_ONLY))
    made.decide(ask("calls", -4, Mode.REFUND), together(("calls", 2), ("images", 3), ("quiet", 1)))
    made.engine.reservations.reserve(ask("calls", 20), hold, 60_000)
    made.engine.reservations.commit("acme", hold, 5)
    made.engine.set_usage(Setting("acme", "calls", 40))
    made.decide(ask("images", 8, key="i"))
    made.engine.undo(ask("images", 0, Mode.REFUND), "i")

    found = entries(made)

    moved = [(entry.verb, entry.feature_id, entry.quantity, entry.key) for entry in found]
    set_key = moved[11][3]
    assert [
        ("consume", "calls", 10, ""),
        ("consume", "seats", 2, ""),
        ("consume", "seats", -2, ""),
        ("consume", "burst", 3, ""),
        ("consume", "builds", 5, ""),
        ("record", "calls", 7, ""),
        ("refund", "calls", -4, ""),
        ("consume", "calls", 2, ""),
        ("consume", "images", 3, ""),
        ("reserve", "calls", 20, hold),
        ("settle", "calls", -15, hold),
        ("set", "calls", 20, set_key),
        ("consume", "images", 8, "i"),
        ("refund", "images", -8, "i"),
    ] == moved
    assert {
        name: amount for name, amount in counters(made).items() if ":quiet:" not in name
    } == summed(made)


def test_what_a_lease_holds_is_noted_as_it_is_lent_and_returned(made: Bench) -> None:
    leases = made.engine.leases
    for _ in range(2):
        leases.acquire(ask("calls", 10), "l", 4_000)
    for _ in range(2):
        leases.renew("acme", "l", Renewal(1, 10, 7), 4_000)
    for _ in range(2):
        leases.release("acme", "l", 12)

    found = [(entry.verb, entry.quantity, entry.key) for entry in entries(made)]
    assert [("lend", 10, "l"), ("lend", 7, "l"), ("return", -5, "l")] == found
    assert counters(made) == summed(made)


def test_what_is_counted_with_a_slot_is_noted_once_and_a_slot_that_is_not_held_is_not(
    made: Bench,
) -> None:
    def acquire(slot_id: str) -> AcquireRequest:
        items = tuple(ask(*each) for each in (("jobs", 1), ("calls", 3), ("quiet", 1)))
        return AcquireRequest("acme", "", idempotency_key=SLOT + slot_id, items=items)

    held = [made.engine.slots.acquire(acquire(slot_id)) for slot_id in ("s", "s", "t", "u")]

    assert [True, True, True, False] == [each.decision.allowed for each in held]
    found = [(each.verb, each.feature_id, each.quantity, each.key) for each in entries(made)]
    assert [("acquire", "calls", 3, "s"), ("acquire", "calls", 3, "t")] == found
    assert {6} == set(summed(made).values())


def test_what_was_let_through_without_the_store_is_noted_when_it_is_settled(
    made: Bench, tmp_path: Path
) -> None:
    with falling_back(made, tmp_path) as worker:
        worker.settling._note = lambda each: (
            *LedgerKept().of_shard(made.keys.shards),
            describe_entries(made.snapshots.current(), each),
        )
        worker.consume("local")
        worker.lose_store()
        for _ in range(2):
            again = ask("local", 3, key="k")
            worker.engine.decide([again], Takers((("web", "grpc"),)))
        worker.find_store()
        assert {"counted": 1} == worker.settle()
        worker.settle()

    found = [(each.verb, each.quantity, each.key, each.occurred_ms) for each in entries(made)]
    assert [("consume", 1, "", 0), ("fallback", 3, "k", made.clock.now)] == found
    assert [("", ""), ("web", "grpc")] == [(each.actor, each.edge) for each in entries(made)]
    assert counters(made) == summed(made)


def test_after_any_calls_the_ledger_sums_up_to_the_counters(made: Bench) -> None:
    drawn = random.Random(16)
    features = ("calls", "builds", "seats", "images", "burst")
    modes = (Mode.NORMAL, Mode.NORMAL, Mode.BEST_EFFORT, Mode.ADJUST_ONLY, Mode.REFUND)
    for _ in range(60):
        batch: list[ConsumeRequest] = []
        for _ in range(drawn.randint(1, 12)):
            feature_id, mode = drawn.choice(features), drawn.choice(modes)
            quantity = drawn.randint(1, 4)
            if mode == Mode.REFUND:
                quantity = -quantity
            request = ask(feature_id, quantity, mode, drawn.choice(("", "", f"k{drawn.random()}")))
            if mode == Mode.NORMAL and drawn.random() < 0.3:
                items = [(name, drawn.randint(1, 3)) for name in drawn.sample(features, 3)]
                request = together(*items, key=request.idempotency_key)
            if drawn.random() < 0.2:
                request = msgspec.structs.replace(request, customer_id="globex")
            batch.append(request)
        made.engine.decide([*batch, *drawn.sample(batch, min(2, len(batch)))])

    assert counters(made) == summed(made)


def test_of_servers_whose_answers_are_lost_every_key_is_noted_exactly_once(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, settle = random.Random(11), ChargeScript.settle

    def lose(self: ChargeScript, tag: str, charges: list[Charge], *rest: Any) -> Any:
        settled = settle(self, tag, charges, *rest)
        if drawn.random() > 0.3:
            return settled
        lost = StoreUnavailable("the answer is lost")
        lost.partial = True  # one of several nodes, so that others are asked
        return [UNSETTLED] * len(charges), lost

    monkeypatch.setattr(ChargeScript, "settle", lose)
    names = [f"k{number}" for number in range(60)]

    def serve(customers: list[str]) -> None:
        engine = Engine(made.shared, made.store.connect())
        with closing(engine):
            for customer_id in customers:
                waiting = [
                    msgspec.structs.replace(ask("calls", 2, key=key), customer_id=customer_id)
                    for key in names
                ]
                while waiting:
                    answers = engine.decide(waiting[:7])
                    left = [
                        request
                        for request, answer in zip(waiting, answers, strict=False)
                        if not isinstance(answer, Decision)
                    ]
                    waiting = left + waiting[7:]

    with ThreadPoolExecutor(3) as servers:
        for done in [servers.submit(serve, ["acme", "globex", "hooli"]) for _ in range(3)]:
            done.result()

    found = Counter((entry.customer_id, entry.key) for entry in entries(made))
    assert {(each, key): 1 for each in ("acme", "globex", "hooli") for key in names} == found
    assert counters(made) == summed(made)


def test_a_record_of_a_newer_release_is_reported_and_not_guessed(made: Bench) -> None:
    made.decide(ask("calls"))
    (record,) = records(made)

    for charges in (
        msgspec.msgpack.encode([2, {"anything": 1}]),
        b"",
        b"\xc1",
        record.charges[:-1],
    ):
        with pytest.raises(Unreadable):
            read_record(record._replace(charges=charges))
    with pytest.raises(Unreadable):
        read_record(record._replace(became=b"1"))
