"""Events reach the receivers of webhooks: each at least once, under its id, once per period."""

import json
import operator
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Mode
from quotad.export import Receivers, WebhookParts, WebhookTarget, reading, webhooks
from quotad.export.webhooks import LANES
from quotad.model import Entry
from quotad.operations.endings import EndingOperations
from quotad.operations.webhooks import WebhookOperations
from quotad.outbox import TARGETS
from quotad.records import CustomerRecord, Promotion, Subscription
from quotad.store import CustomerIndex
from quotad.store.change_streams import ChangeStreams
from quotad.store.exports import ExportRecords
from quotad.store.webhooks import WebhookStore
from quotad.webhooks.endpoint import NewEndpoint, WantedEndpoint
from quotad.webhooks.networks import Networks
from tests.export.exported import Exported, Here, run
from tests.processes import starting
from tests.raw import raw
from tests.receiver import LOOPBACK, Arrived, Receiver, receiving
from tests.running import eventually

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered, ledger: all}
  mails: {type: metered, ledger: true}
  seats: {type: metered, kind: gauge, ledger: true}
  bursts: {type: metered, ledger: true}
  budget: {type: metered, decimals: 2}
  images: {type: metered, credit: {pool: budget, cost: 0.5}, ledger: true}
  quiet: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 10, per: month}
      mails:
        limits: [{limit: 10, per: day}, {limit: 20, per: month}]
      seats: {limit: 5}
      bursts: {limit: 5, per: minute}
      budget: {limit: 10, per: month}
      images: true
      quiet: {limit: 10, per: month}
  pro:
    entitlements:
      calls: {limit: 100, per: month}
"""

THRESHOLDS = (80, 100)
THRESHOLD, LIMIT = "usage.threshold_reached", "usage.limit_reached"


class Hooks:
    """Receivers of one store, and exports to them in this process, step by step."""

    def __init__(self, exported: Exported, receiver: Receiver) -> None:
        self.exported = exported
        self.receiver = receiver
        self.store = WebhookStore(exported.made.store, exported.made.keys)
        self.now_ms: Callable[[], int] = exported.records.now_ms
        self.operations = WebhookOperations(self.store, Networks(LOOPBACK), self)
        self.parts = WebhookParts(
            self.store,
            ChangeStreams(exported.made.store, exported.made.keys),
            EndingOperations(
                CustomerIndex(exported.made.store, exported.made.keys, exported.made.customers)
            ),
            Networks(LOOPBACK),
            exported.made.catalogs,
            THRESHOLDS,
            lambda: self.now_ms(),
            lambda: exported.records.parts,
        )

    def add(self, path: str = "", *events: str) -> NewEndpoint:
        made = self.operations.add(WantedEndpoint(self.receiver.url + path, events))
        self.exported.records.begin(made.endpoint.webhook_id, made.endpoint.created_ms - 1)
        return made

    def target(self, made: NewEndpoint) -> WebhookTarget:
        (endpoint,) = [
            each for each in self.store.read() if each.webhook_id == made.endpoint.webhook_id
        ]
        return WebhookTarget(endpoint, self.parts)

    def send(self, made: NewEndpoint) -> None:
        """All that there is to be sent to one receiver."""
        target = self.target(made)
        exporter = self.exported.exporter(target)
        run(exporter, target)
        exporter.let_go(target)

    def bodies(self, *types: str) -> list[dict[str, Any]]:
        """What has arrived, with its id."""
        found = [
            {"id": each.headers["webhook-id"], **json.loads(each.body)}
            for each in self.receiver.arrived
        ]
        return [each for each in found if not types or each["type"] in types]

    def usage(self, feature_id: str = "") -> list[tuple[Any, ...]]:
        """What was reached: type, feature, window, threshold and what was used then."""
        return [
            (each["type"], data["feature_id"], data.get("per"), data.get("threshold"), data["used"])
            for each in self.bodies(THRESHOLD, LIMIT)
            if (data := each["data"])["feature_id"] == feature_id or not feature_id
        ]


@pytest.fixture(scope="module")
def shared() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def hooks(exported: Exported, shared: Receiver) -> Hooks:
    exported.made.publish(CATALOG)
    exported.pass_time()  # what came in the millisecond of a receiver is sent to it
    shared.arrived.clear()
    shared.answer = lambda _: (204, {})
    return Hooks(exported, shared)


def test_thresholds_and_the_limit_are_sent_signed_once_with_the_state_that_reached_them(
    hooks: Hooks,
) -> None:
    made = hooks.add()
    for _ in range(10):
        hooks.exported.take("acme", feature_id="calls")

    hooks.send(made)

    assert [
        (THRESHOLD, "calls", "month", 80, 8),
        (THRESHOLD, "calls", "month", 100, 10),
        (LIMIT, "calls", "month", None, 10),
    ] == hooks.usage()
    first, *_ = hooks.receiver.arrived
    verified = Webhook(made.secret).verify(first.body, dict(first.headers))
    resets = hooks.exported.made.check("acme", "calls").resets_at_ms
    assert verified["data"] == {
        "customer_id": "acme",
        "feature_id": "calls",
        "threshold": 80,
        "limit": 10,
        "used": 8,
        "remaining": 2,
        "per": "month",
        "resets_at": "2031-02-01T00:00:00Z",
        "catalog_version": 2,
    }
    assert resets is not None


def test_what_was_given_back_and_taken_again_reaches_nothing_twice(hooks: Hooks) -> None:
    made = hooks.add()
    for quantity, mode in ((9, Mode.NORMAL), (5, Mode.REFUND), (6, Mode.NORMAL)):
        hooks.exported.made.engine.decide([ConsumeRequest("acme", "calls", quantity, int(mode))])
        hooks.send(made)
    hooks.exported.made.engine.decide([ConsumeRequest("acme", "calls", 1, int(Mode.REFUND))])
    hooks.exported.take("acme", 1, "calls")

    hooks.send(made)

    assert [80, 100, None] == [each[3] for each in hooks.usage()]


def test_a_raised_limit_that_is_reached_in_the_same_period_is_not_sent_again(hooks: Hooks) -> None:
    """Once per customer, feature and period: also where there is more room meanwhile."""
    made = hooks.add()
    hooks.exported.take("acme", 10, "calls")
    hooks.send(made)
    hooks.exported.made.provision("acme", "pro")
    hooks.exported.take("acme", 90, "calls")
    hooks.exported.take("other", 1, "calls")

    hooks.send(made)

    counters = {event["id"] for event in hooks.bodies(THRESHOLD, LIMIT)}
    assert len(counters) == len(hooks.usage())
    assert 3 == len([each for each in hooks.usage() if each[4] == 10])


def test_each_window_of_a_feature_is_reached_by_itself(hooks: Hooks) -> None:
    made = hooks.add("", THRESHOLD)
    hooks.exported.take("acme", 9, "mails")
    hooks.exported.made.clock.now += 86_400_000
    hooks.exported.take("acme", 9, "mails")

    hooks.send(made)

    assert [
        (THRESHOLD, "mails", "day", 80, 9),
        (THRESHOLD, "mails", "day", 80, 9),
        (THRESHOLD, "mails", "month", 80, 18),
    ] == hooks.usage()
    assert 3 == len({each["id"] for each in hooks.bodies()})


def test_a_limit_without_a_period_is_reached_whenever_it_is_passed_from_below(
    hooks: Hooks,
) -> None:
    made = hooks.add("", LIMIT)
    for quantity in (5, -1, 1, -5):
        hooks.exported.take("acme", quantity, "seats")

    hooks.send(made)

    assert [(LIMIT, "seats", None, None, 5)] * 2 == hooks.usage()
    assert 2 == len({each["id"] for each in hooks.bodies()})


def test_a_denial_for_want_of_room_is_the_limit_reached_where_denials_are_noted(
    hooks: Hooks,
) -> None:
    made = hooks.add("", LIMIT)
    hooks.exported.take("acme", 7, "calls")
    hooks.exported.take("acme", 5, "calls")
    hooks.exported.take("acme", 5, "calls")
    hooks.exported.take("acme", 7, "mails")
    hooks.exported.take("acme", 5, "mails")

    hooks.send(made)

    assert [(LIMIT, "calls", "month", None, 7)] == hooks.usage()


def test_a_credit_pool_is_reached_by_the_features_that_draw_on_it(hooks: Hooks) -> None:
    made = hooks.add("", THRESHOLD)
    hooks.exported.take("acme", 17, "images")

    hooks.send(made)

    assert [(THRESHOLD, "budget", "month", 80, 850)] == hooks.usage()
    (event,) = hooks.bodies()
    assert (1_000, 2) == (event["data"]["limit"], event["data"]["decimals"])


def test_a_feature_has_thresholds_of_its_own_or_none_and_is_in_the_ledger_for_them(
    hooks: Hooks,
) -> None:
    own = CATALOG.replace("quiet: {type: metered}", "quiet: {type: metered, thresholds: [50, 90]}")
    own = own.replace("kind: gauge, ledger: true", "kind: gauge, ledger: true, thresholds: []")
    own = own.replace("decimals: 2}", "decimals: 2, thresholds: [10]}")
    hooks.exported.made.publish(own)
    made = hooks.add("", THRESHOLD)
    for feature_id, quantity in (("quiet", 5), ("quiet", 4), ("seats", 5), ("images", 3)):
        hooks.exported.take("acme", quantity, feature_id)

    hooks.send(made)

    assert [
        (THRESHOLD, "budget", "month", 10, 150),
        (THRESHOLD, "quiet", "month", 50, 5),
        (THRESHOLD, "quiet", "month", 90, 9),
    ] == sorted(hooks.usage())


def test_short_windows_and_features_without_a_ledger_send_nothing(hooks: Hooks) -> None:
    made = hooks.add()
    hooks.exported.take("acme", 5, "bursts")
    hooks.exported.take("acme", 10, "quiet")

    hooks.send(made)

    assert [] == hooks.usage()


def test_changes_of_customers_and_catalogs_are_sent_to_those_who_asked_for_them(
    hooks: Hooks,
) -> None:
    every, catalogs = hooks.add("/every"), hooks.add("/catalogs", "catalog.published")
    hooks.exported.made.provision("acme", "pro")
    hooks.exported.made.publish(CATALOG.replace("limit: 100,", "limit: 200,"))
    hooks.send(every)
    hooks.send(catalogs)
    hooks.send(every)

    found = {
        path: [
            (event["type"], event["data"])
            for arrived, event in zip(hooks.receiver.arrived, hooks.bodies(), strict=True)
            if arrived.path == path
        ]
        for path in ("/every", "/catalogs")
    }
    published = ("catalog.published", {"catalog_version": 3})
    assert [published] == found["/catalogs"]
    types = [event_type for event_type, _ in found["/every"]]
    assert ["catalog.published", "customer.changed"] == sorted(types)
    changed = dict(found["/every"])["customer.changed"]
    stored = hooks.exported.made.customers.get("acme")
    assert {"customer_id": "acme", "epoch": stored.epoch} == changed


def test_changes_that_were_dropped_before_they_were_read_are_a_gap(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gaps() -> int:
        return hooks.exported.watch().reading_of_each("gaps")[TARGETS.index("webhooks")]

    exported = hooks.exported
    stream = exported.made.keys.customer("acme").events
    made = hooks.add("", "customer.changed")
    monkeypatch.setattr(reading, "AWAY_MS", -1)  # as if it had not read for a minute
    exported.made.provision("acme", "pro")
    hooks.send(made)
    exported.made.provision("acme", "free")
    exported.made.provision("acme", "pro")
    hooks.send(made)
    assert (3, 0) == (len(hooks.bodies("customer.changed")), gaps())

    exported.made.provision("acme", "free")
    exported.made.provision("acme", "pro")
    raw(exported.made.store).xtrim(stream, maxlen=1, approximate=False)
    hooks.send(made)
    hooks.send(made)
    assert (4, 1) == (len(hooks.bodies("customer.changed")), gaps())

    raw(exported.made.store).unlink(stream)
    hooks.send(made)
    assert 1 == gaps()
    monkeypatch.setattr(webhooks, "CHANGES_KEPT_MS", -1)  # or for longer than they are kept
    hooks.send(made)
    assert 2 == gaps()
    assert 2 == caplog.text.count("changes of customers and catalogs may have been dropped")


def test_trials_and_promotions_that_end_soon_are_sent_once_for_each_end(hooks: Hooks) -> None:
    made = hooks.add("", "trial.ending", "promotion.ending")
    now_ms = hooks.exported.records.now_ms()
    soon, later = now_ms + 2 * 86_400_000, now_ms + 9 * 86_400_000
    customers = hooks.exported.made.customers

    def write(customer: str, trial_ends: int, promotion_ends: int) -> None:
        phase = Subscription("pro", now_ms - 1000, end_ms=trial_ends, trial=True)
        promotion = Promotion("calls", Entry(), promotion_ends)
        record = CustomerRecord(customer, (phase,), promotions=(promotion,))
        customers.update(customer, lambda _: record)

    write("a", soon, later)
    write("b", later, soon)
    write("c", soon - 1, soon + 1)
    write("over", now_ms - 1, now_ms - 1)
    target = hooks.target(made)
    exporter = hooks.exported.exporter(target)
    for _ in range(12):
        exporter.round(target, Here())
    write("b", later, soon + 86_400_000 - 60_000)
    for part in hooks.exported.records.parts:
        key = hooks.exported.made.keys.export(target.name, part)
        raw(hooks.exported.made.store).hdel(key, "n:endings")
    exporter.let_go(target)
    hooks.send(made)
    hooks.send(made)

    found = Counter((each["type"], each["data"]["customer_id"]) for each in hooks.bodies())
    assert found == {
        ("trial.ending", "a"): 1,
        ("trial.ending", "c"): 1,
        ("promotion.ending", "b"): 2,
        ("promotion.ending", "c"): 1,
    }
    trial, _ = [each["data"] for each in hooks.bodies("trial.ending")]
    assert {"customer_id", "plan_id", "ends_at"} == trial.keys()


def failing(statuses: dict[str, int]) -> Callable[[Any], tuple[int, dict[str, str]]]:
    """Answers by the path that is sent to."""
    return lambda arrived: (statuses.get(arrived.path, 204), {})


def test_a_receiver_that_is_gone_gets_all_of_it_when_it_is_back(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hooks.add()
    hooks.receiver.answer = failing({"/": 503})
    for customer in ("a", "b", "c"):
        hooks.exported.take(customer, 10, "calls")
    monkeypatch.setattr("quotad.export.sending.FIRST_S", 0.0)
    monkeypatch.setattr("quotad.export.webhooks.BESIDE_FIRST_S", 0.001)
    monkeypatch.setattr("quotad.export.webhooks.BESIDE_MOST_S", 0.001)
    target = hooks.target(made)
    exporter = hooks.exported.exporter(target)
    for _ in range(15):
        exporter.round(target, Here())
        hooks.exported.pass_time()
    refused = len(hooks.receiver.arrived)
    hooks.receiver.answer = failing({})
    hooks.receiver.arrived.clear()
    for _ in range(9):
        exporter.round(target, Here())
        hooks.exported.pass_time()

    assert refused > 9
    assert 9 == len({each["id"] for each in hooks.bodies()})
    attempts = hooks.store.attempts(made.endpoint.webhook_id)
    assert {503, 204} == {each.status for each in attempts}
    assert {"answered 503", ""} == {each.problem for each in attempts}


def test_an_event_that_is_refused_holds_up_no_other_and_is_given_up_after_three_days(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hooks.add("", LIMIT)
    monkeypatch.setattr("quotad.export.webhooks.BESIDE_FIRST_S", 0.001)
    hooks.receiver.answer = lambda arrived: (400 if b'"bad"' in arrived.body else 204, {})
    hooks.exported.take("bad", 10, "calls")
    for _ in range(3):
        hooks.exported.take("good", 10, "calls")
    target = hooks.target(made)
    exporter = hooks.exported.exporter(target)
    for _ in range(5):
        exporter.round(target, Here())
        hooks.exported.pass_time()
    start = hooks.now_ms
    hooks.now_ms = lambda: start() + 3 * 86_400_000
    for _ in range(5):
        exporter.round(target, Here())
        hooks.exported.pass_time()

    assert {"bad", "good"} == {each["data"]["customer_id"] for each in hooks.bodies()}
    (parked,) = hooks.exported.operations.parked()
    assert f"{LIMIT}: answered 400, for 3 days" == parked.why
    assert ("bad", 0) == (parked.about, parked.again_ms)


def test_a_receiver_that_asks_for_a_pause_gets_it(hooks: Hooks) -> None:
    made = hooks.add("", LIMIT)
    hooks.receiver.answer = lambda _: (429, {"retry-after": "600"})
    hooks.exported.take("acme", 10, "calls")
    before_ms = hooks.exported.records.now_ms()

    hooks.send(made)

    (waiting,) = hooks.exported.operations.parked()
    assert waiting.again_ms >= before_ms + 600_000
    assert 1 == len(hooks.receiver.arrived)


def test_events_are_sent_again_from_a_time_on_where_that_is_asked_for(hooks: Hooks) -> None:
    made = hooks.add("", LIMIT)
    hooks.exported.take("a", 10, "calls")
    hooks.send(made)
    hooks.exported.pass_time()
    since_ms = hooks.exported.records.now_ms()
    hooks.exported.take("b", 10, "calls")
    hooks.exported.take("c", 10, "calls")
    hooks.send(made)
    first = hooks.bodies()
    hooks.exported.pass_time()

    hooks.operations.replay(made.endpoint.webhook_id, since_ms)
    hooks.send(made)
    hooks.send(made)

    assert [*first, *first[1:]] == hooks.bodies()


@contextmanager
def running(hooks: Hooks) -> Iterator[None]:
    """All receivers served by threads, until the end of the block."""
    records = hooks.exported.records
    receivers = Receivers(records, hooks.exported.streams, hooks.parts, lambda: None)
    stop = threading.Event()
    thread = threading.Thread(target=receivers.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_receiver_that_does_not_answer_holds_up_no_other(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotad.export.exporter.POLL_S", 0.02)
    monkeypatch.setattr("quotad.export.receivers.LOOK_S", 0.02)
    held = threading.Event()

    def answer(arrived: Arrived) -> tuple[int, dict[str, str]]:
        if arrived.path == "/slow":
            held.wait(60)
        return 204, {}

    hooks.receiver.answer = answer
    slow, quick = hooks.add("/slow", LIMIT), hooks.add("/quick", LIMIT)
    with running(hooks):
        for customer in ("a", "b", "c", "d", "e"):
            hooks.exported.take(customer, 10, "calls")
        eventually(lambda: paths(hooks, "/quick"), lambda count: count == 5)
        assert paths(hooks, "/slow") <= LANES
        held.set()
        eventually(lambda: paths(hooks, "/slow"), lambda count: count == 5)
        hooks.operations.remove(slow.endpoint.webhook_id)
        left = [quick.endpoint.webhook_id]
        eventually(hooks.exported.records.targets, lambda found: found == left)
    assert [] == hooks.store.attempts(slow.endpoint.webhook_id)


def paths(hooks: Hooks, path: str) -> int:
    return sum(each.path == path for each in hooks.receiver.arrived)


def test_receivers_get_every_event_though_exporting_processes_are_killed(
    hooks: Hooks, store_url: str, prefix: str, tmp_path: Path
) -> None:
    made = hooks.add("/", LIMIT)
    arguments = ["export", "--export-to", "webhooks", "--redis-url", store_url]
    networks = ["--webhook-networks", LOOPBACK[0], "--prefix", prefix]
    wanted: set[str] = set()
    with starting(tmp_path) as start:
        for turn in range(3):
            process = start(*arguments, *networks)
            for number in range(20):
                wanted.add(f"c{turn}-{number}")
                hooks.exported.take(f"c{turn}-{number}", 10, "calls")
            before = len(hooks.receiver.arrived)
            eventually(lambda: len(hooks.receiver.arrived), partial(operator.lt, before), 60)
            if turn < 2:
                process.end()  # by SIGKILL
                hooks.exported.end_lease(hooks.target(made))
        eventually(lambda: customers(hooks), lambda found: found == wanted, 60)
    ids = {(each["id"], each["data"]["customer_id"]) for each in hooks.bodies()}
    assert len(wanted) == len(ids)


def customers(hooks: Hooks) -> set[str]:
    return {each["data"]["customer_id"] for each in hooks.bodies()}


class Killed(BaseException):
    """The process is killed here."""


def test_no_event_is_missing_or_has_another_id_whenever_the_process_is_killed(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hooks.add()
    rng = random.Random(3)
    taken: Counter[str] = Counter()
    write = ExportRecords.write
    to_go = [0]

    def step() -> None:
        to_go[0] -= 1
        if to_go[0] == 0:
            raise Killed

    def killed_write(self: ExportRecords, *args: Any, **named: Any) -> int:
        step()  # before it is written
        done = write(self, *args, **named)
        step()  # after
        return done

    monkeypatch.setattr(ExportRecords, "write", killed_write)
    for _ in range(60):
        for customer in rng.sample(["a", "b", "c", "d"], 2):
            if taken[customer] < 10:
                taken[customer] += 1
                hooks.exported.take(customer, 1, "calls")
        to_go[0] = rng.randint(1, 8)
        target = hooks.target(made)
        exporter = hooks.exported.exporter(target)
        try:
            run(exporter, target)
        except Killed:
            hooks.exported.end_lease(target)
        else:
            to_go[0] = 0
            exporter.let_go(target)
    to_go[0] = 0
    hooks.send(made)

    assert {10} == set(taken.values())
    by_event = Counter(
        (each["type"], each["data"]["customer_id"], each["data"].get("threshold"), each["id"])
        for each in hooks.bodies(THRESHOLD, LIMIT)
    )
    wanted = [
        (t, c, p) for c in "abcd" for t, p in ((THRESHOLD, 80), (THRESHOLD, 100), (LIMIT, None))
    ]
    assert sorted(map(str, wanted)) == sorted(str(each[:3]) for each in by_event)


@pytest.mark.parametrize("seed", range(4))
def test_exactly_what_was_reached_is_sent_once_whatever_is_done(hooks: Hooks, seed: int) -> None:
    """A model of the counters that knows only what was answered."""
    made = hooks.add("", THRESHOLD)
    rng = random.Random(seed)
    used: Counter[str] = Counter()
    wanted: set[tuple[str, int]] = set()
    modes = [Mode.NORMAL, Mode.NORMAL, Mode.BEST_EFFORT, Mode.ADJUST_ONLY, Mode.REFUND]
    for _ in range(80):
        customer, quantity = rng.choice("abc"), rng.randint(1, 6)
        mode = rng.choice(modes)
        key = rng.choice(["", f"{customer}{rng.randint(0, 9)}{mode}{quantity}"])
        request = ConsumeRequest(customer, "calls", quantity, int(mode), key)
        together = ConsumeAllRequest(
            customer, "", 0, idempotency_key="", items=(request, ConsumeRequest(customer, "seats"))
        )
        if mode is Mode.NORMAL and rng.random() < 0.3:
            request = msgspec.structs.replace(request, idempotency_key="")
            together = msgspec.structs.replace(together, items=(request, together.items[1]))
            hooks.exported.made.engine.decide([together])
        else:
            hooks.exported.made.engine.decide([request])
        used[customer] = hooks.exported.made.check(customer, "calls").used
        wanted |= {(customer, each) for each in THRESHOLDS if used[customer] * 10 >= each}
        if rng.random() < 0.2:
            hooks.send(made)
    hooks.send(made)

    found = [
        (each["data"]["customer_id"], each["data"]["threshold"])
        for each in hooks.bodies()
        if each["data"]["feature_id"] == "calls"
    ]
    assert sorted(wanted) == sorted(found)
