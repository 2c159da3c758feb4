"""The pure half of the locust scenarios: the end-of-run check, wrong answers, load shapes."""

from typing import Any

import pytest

from loadtests.scenarios import curves, decisions
from loadtests.scenarios.catalog import DOCUMENT, METERED, with_limit
from loadtests.scenarios.ledger import VIOLATIONS_MAX, Counter, Ledger, compare
from quotad.catalog import Source, compile_snapshot, parse
from quotad.v1 import quota_pb2 as pb


def ledger(allowed: int = 10, limit_max: int = 0) -> Ledger:
    made = Ledger()
    account = made.account("acme", "api-calls")
    account.allowed, account.limit_max = allowed, limit_max
    return made


def lines(seen: Ledger, used: int, limit: int | None = 100) -> tuple[bool, list[str]]:
    verdict = compare(seen, {"acme": {"api-calls": Counter(used, limit)}})
    return verdict.passed, list(verdict.lines())


def test_counters_that_are_what_was_allowed_pass() -> None:
    passed, said = lines(ledger(allowed=10), used=10)

    assert passed
    assert [
        "check: counters match: 10 allowed in 1 counters of 1 customers; 0 calls of unknown outcome"
    ] == said


@pytest.mark.parametrize("used", [9, 11])
def test_a_counter_that_is_one_off_fails(used: int) -> None:
    passed, said = lines(ledger(allowed=10), used)

    assert not passed
    assert said[0].startswith("check: COUNTERS DO NOT MATCH: 1 problems; 10 allowed in 1 counters")
    assert f"check:   acme api-calls: 10 allowed, but {used} counted" == said[1]


@pytest.mark.parametrize(
    ("used", "passes"), [(7, False), (8, True), (10, True), (15, True), (16, False)]
)
def test_calls_without_an_answer_widen_what_is_allowed(used: int, passes: bool) -> None:
    seen = ledger(allowed=10)
    seen.unanswered("acme", "api-calls", 5)
    seen.unanswered("acme", "api-calls", -2)

    passed, said = lines(seen, used)

    assert passes == passed
    assert said[0].endswith("; 2 calls of unknown outcome, about a quantity of 7")
    assert passes or f"check:   acme api-calls: 8 to 15 allowed, but {used} counted" == said[1]


def test_a_hard_limit_that_was_passed_fails_also_when_the_counter_matches() -> None:
    passed, said = lines(ledger(allowed=101), used=101, limit=100)

    assert not passed
    assert "check:   acme api-calls: 101 allowed, above the limit of 100" == said[1]


def test_a_plan_that_has_become_smaller_is_no_passed_limit() -> None:
    assert lines(ledger(allowed=101, limit_max=200), used=101, limit=100)[0]
    assert lines(ledger(allowed=101), used=101, limit=None)[0]


def test_a_counter_that_the_server_does_not_show_fails() -> None:
    verdict = compare(ledger(), {})

    assert not verdict.passed
    assert ["acme api-calls: 10 allowed, and the server does not tell the counter"] == (
        verdict.problems
    )


def test_a_broken_promise_fails_though_the_counters_match() -> None:
    seen = ledger(allowed=10)
    for number in range(VIOLATIONS_MAX + 5):
        seen.violated(f"stale {number}")

    passed, said = lines(seen, used=10)

    assert not passed
    assert "check: PROMISES BROKEN: 25 answers were wrong" == said[1]
    assert "check:   stale 0" == said[2]
    assert 2 + VIOLATIONS_MAX == len(said)


def test_a_run_in_which_nothing_was_counted_fails() -> None:
    verdict = compare(Ledger(), {})

    assert not verdict.passed
    assert "check: NOTHING TO CHECK: no call of a metered feature was answered" in verdict.lines()


def test_the_ledgers_of_two_workers_add_up() -> None:
    master = Ledger()
    for number in range(2):
        worker = ledger(allowed=10, limit_max=number)
        worker.account(f"own-{number}", "exports").allowed = 1
        worker.unanswered("acme", "api-calls", 3)
        worker.decided("hot gateway", "WITHIN_LIMIT")
        worker.violated("stale")
        master.add(Ledger.from_message(worker.to_message()))

    account = master.account("acme", "api-calls")
    assert (20, 6, 1) == (account.allowed, account.unknown_up, account.limit_max)
    assert {"acme", "own-0", "own-1"} == set(master.accounts)
    assert {"hot gateway": {"WITHIN_LIMIT": 2}} == master.reasons
    assert (2, 2, ["stale", "stale"]) == (
        master.unknown_calls,
        master.violations_count,
        master.violations,
    )


def answer(**fields: Any) -> Any:
    return pb.CheckAndConsumeResponse(**fields)


LIMITED = pb.REASON_LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (answer(allowed=True, granted=5, limit=10, used=10), None),
        (answer(allowed=True, granted=5, limit=10, used=12), "allowed 12 of 10"),
        (answer(allowed=True, granted=4, limit=10, used=4), "asked for 5, granted 4"),
        (answer(reason=LIMITED, limit=10, used=6), None),
        (answer(reason=LIMITED, limit=10, used=5), "5 denied at 5 of 10"),
        (answer(reason=LIMITED, limit=10, used=6, granted=5), "denied, and granted 5"),
        (answer(reason=pb.REASON_NOT_ENTITLED), None),
        (answer(allowed=True, granted=5, limit=10, used=12, soft_limit=True), None),
        (answer(allowed=True, granted=5, unlimited=True, used=12), None),
        (answer(allowed=True, granted=5, limit=10, used=12, replayed=True), None),
        (
            answer(
                allowed=True,
                granted=5,
                limits=[pb.LimitStatus(limit=10, used=5), pb.LimitStatus(limit=4, used=5)],
            ),
            "allowed 5 of 4",
        ),
    ],
)
def test_a_decision_that_breaks_its_own_limit_is_noticed(given: Any, problem: str | None) -> None:
    request = decisions.consumption("acme", "api-calls", 5)

    assert decisions.wrong(request, given) == (problem and f"acme api-calls: {problem}")


def test_a_key_that_was_decided_twice_is_noticed() -> None:
    request = decisions.consumption("acme", "ai-tokens", 5, "k")
    first = answer(allowed=True, granted=5)
    again = answer(allowed=True, granted=5, replayed=True)

    assert decisions.wrong_repeat(request, [first, again]) is None
    assert decisions.wrong_repeat(request, [again, again]) is None  # the first answer was lost
    assert "acme key k: taken more than once" == decisions.wrong_repeat(request, [first, first])
    assert "acme key k: answered differently the second time" == decisions.wrong_repeat(
        request, [first, answer(allowed=True, granted=4, replayed=True)]
    )
    # A denial is not kept: the same key is judged afresh.
    assert decisions.wrong_repeat(request, [answer(), answer(), first, again]) is None


def test_a_stale_decision_is_noticed() -> None:
    assert decisions.wrong_plan(answer(limit=40), "small", 40) is None
    assert "the limit is 4000 after a change to plan small, not 40" == decisions.wrong_plan(
        answer(limit=4000), "small", 40
    )
    assert decisions.wrong_catalog(answer(catalog_version=7, limit=5), 7, 5) is None
    assert decisions.wrong_catalog(answer(catalog_version=8, limit=9), 7, 5) is None
    assert "catalog 6 decided after 7 was published" == decisions.wrong_catalog(
        answer(catalog_version=6, limit=5), 7, 5
    )
    assert "the limit is 9 after 5 was published in catalog 7" == decisions.wrong_catalog(
        answer(catalog_version=7, limit=9), 7, 5
    )


def test_the_batch_shows_its_first_wrong_answer() -> None:
    requests = [decisions.consumption("acme", "api-calls") for _ in range(2)]
    good = pb.BatchResult(response=answer(allowed=True, granted=1, limit=10, used=1))
    bad = pb.BatchResult(error=pb.Error(reason="INTERNAL"))

    def wrong(*results: Any) -> str | None:
        return decisions.wrong_batch(requests, pb.BatchCheckAndConsumeResponse(results=results))

    assert wrong(good, good) is None
    assert "an error in a batch: INTERNAL" == wrong(good, bad)
    assert "1 results for 2 requests" == wrong(good)


def test_every_plan_of_the_catalog_has_one_limit_without_a_period_per_metered_feature() -> None:
    plans = compile_snapshot(parse([Source("c.json", with_limit("changing", "exports", 7))]), 1)
    assert plans.plans

    for name, plan in DOCUMENT["plans"].items():
        for feature_id, entitlement in plan["entitlements"].items():
            if feature_id in METERED:
                limits = entitlement.get("limits", [entitlement])
                assert 1 == sum("per" not in each for each in limits), (name, feature_id)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("step", [20, 20, 40, 40, 60, 60, 80, 80, 100, 100]),
        ("spike", [10, 10, 100, 100, 10, 10, 10, 100, 100, 10]),
        ("soak", [20, 100, 100, 100, 100, 100, 100, 100, 100, 100]),
    ],
)
def test_a_shape_is_scaled_to_users_and_time(name: str, counts: list[int]) -> None:
    curve, run_s = curves.CURVES[name]
    at = [curves.users_at(curve, part * run_s / 10, run_s, users=100) for part in range(10)]

    assert counts == at
    assert 1 == curves.users_at(curve, 0.0, run_s, users=1)
    assert curves.users_at(curve, run_s, run_s, users=100) is None
