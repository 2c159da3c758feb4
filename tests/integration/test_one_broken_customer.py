"""What cannot be worked out for one customer fails its calls, and nobody else's in the batch."""

from collections.abc import Iterator
from typing import Any

import pytest

from quotad.decision import ConsumeRequest, Decision
from quotad.engine import explaining, meters, settling, views
from quotad.errors import Damaged, StoreUnavailable
from quotad.store import ChargeStatus, Settlement
from tests.deciding import Bench, at, bench
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 1000, per: month, anchor: subscription}}}
"""


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as found:
        found.publish(CATALOG)
        yield found


def ask(made: Bench, *names: str, **fields: Any) -> list[str]:
    answers = made.engine.decide([ConsumeRequest(name, "calls", **fields) for name in names])
    return [
        f"used {answer.used}" if isinstance(answer, Decision) else str(answer) for answer in answers
    ]


FAILED = "internal error; the server's log has the details"


def fail_for(module: Any, name: str, is_broken: Any) -> Any:
    """A function of a module that fails when its arguments are about the broken customer."""
    function = getattr(module, name)

    def failing(*args: Any, **options: Any) -> Any:
        if is_broken(args):
            raise OverflowError("date value out of range")
        return function(*args, **options)

    return failing


def test_a_record_that_cannot_be_read_fails_its_customer_only(
    made: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    keys = made.keys.customer("broken")
    made.provision("broken", "free")
    record = raw(made.store).get(keys.record)
    raw(made.store).set(keys.record, b"\xc1 not a record")

    damaged = "the record of 'broken' is damaged in the store"
    with caplog.at_level("ERROR", "quotad"):
        assert ["used 1", damaged, "used 1"] == ask(made, "a", "broken", "b")
        assert [damaged, "used 2"] == ask(made, "broken", "a")
        with pytest.raises(Damaged, match=damaged):
            made.customers.get("broken")
        with pytest.raises(Damaged, match=damaged):
            made.engine.entitlements("broken")
    (line,) = caplog.messages  # once, and no traceback
    assert line.startswith(f"the key {keys.record} is damaged: it holds no customer record: ")

    raw(made.store).set(keys.record, record)
    assert ["used 1"] == ask(made, "broken")


def test_a_damaged_counter_is_named_in_the_log_once(
    made: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    assert ["used 1"] == ask(made, "broken")
    (name,) = raw(made.store).keys(f"{made.keys.customer('broken').usage}:*")
    raw(made.store).set(name, "x")

    damaged = "a counter of 'calls' is damaged in the store"
    with caplog.at_level("ERROR", "quotad"):
        assert ["used 1", damaged, "used 1"] == ask(made, "a", "broken", "b")
        assert [damaged, "used 2"] == ask(made, "broken", "a")

    assert [f"the key {name.decode()} is damaged: it holds no usage"] == caplog.messages


def test_a_view_that_cannot_be_made_fails_its_customer_only(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(views, "resolve", fail_for(views, "resolve", lambda args: "broken" in args))

        assert ["used 1", FAILED, FAILED, "used 1"] == ask(made, "a", "broken", "broken", "b")

    assert ["used 1"] == ask(made, "broken")


@pytest.mark.parametrize("known", [False, True])
def test_a_period_that_cannot_be_worked_out_fails_its_customer_only(
    made: Bench, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    start = "2031-01-10"
    made.provision("broken", "free", start)
    if known:
        assert ["used 1"] == ask(made, "broken")
        made.clock.now += 40 * 86_400_000  # another period
    with monkeypatch.context() as patch:
        is_broken = fail_for(meters, "period_at", lambda args: args[2] == at(start))
        patch.setattr(meters, "period_at", is_broken)

        assert ["used 1", FAILED, "used 1"] == ask(made, "a", "broken", "b")

    assert ["used 1"] == ask(made, "broken")


def test_an_answer_that_cannot_be_encoded_fails_its_own_call_only(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        settling, "fold", fail_for(settling, "fold", lambda args: args[1].customer_id == "broken")
    )

    assert ["used 1", FAILED, "used 1"] == ask(made, "a", "broken", "b", every_limit=True)


def test_an_explanation_that_cannot_be_given_fails_its_own_call_only(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        explaining, "explain", fail_for(explaining, "explain", lambda args: "broken" in args)
    )

    assert ["used 1", FAILED, "used 1"] == ask(made, "a", "broken", "b", explain=True)


def test_what_the_store_has_not_answered_fails_alone_wherever_it_is_in_the_batch(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = made.engine._settler._counters
    settle = counters.settle

    def one_server_is_away(tag: str, charges: Any, *rest: Any) -> Any:
        settled, _ = settle(tag, charges, *rest)
        settled[1] = Settlement(ChargeStatus.UNSETTLED)
        return settled, StoreUnavailable("a server is away")

    monkeypatch.setattr(counters, "settle", one_server_is_away)

    assert ["used 1", "a server is away", "used 1"] == ask(made, "a", "b", "c")
