"""Policies for when the store is gone: how they are written, and what they come to at worst."""

import pytest

from quotad.catalog import Catalog, Source, advice, compile_snapshot, diff, parse
from quotad.config import load
from quotad.decision import Decision, LimitStatus
from quotad.engine.let_through import LetThrough
from quotad.errors import CatalogError, ConfigError
from quotad.fallback import ALLOW, DENY, FallbackPolicy, WithoutStore, read_policy
from quotad.http.ratelimit import ratelimit_headers
from quotad.server.fallback_parts import fallback_workers
from quotad.server.server import Server


def local(percent: float) -> FallbackPolicy:
    return FallbackPolicy(WithoutStore.LOCAL, round(percent * 100))


def catalog(features: str, top: str = "", plans: str = "{}") -> Catalog:
    text = f"version: 1\n{top}\nfeatures:\n  {features}\nplans: {plans}\n"
    return parse([Source("plans.yaml", text)])


@pytest.mark.parametrize(
    ("written", "policy", "text"),
    [
        ("deny", DENY, '"deny"'),
        ("allow", ALLOW, '"allow"'),
        ("{local: 10 %}", local(10), '{"local":"10 %"}'),
        ("{local: 10%}", local(10), '{"local":"10 %"}'),
        ("{local: 12.50}", local(12.5), '{"local":"12.5 %"}'),
        ("{local: 0.01 %}", local(0.01), '{"local":"0.01 %"}'),
        ("{local: 100 %}", local(100), '{"local":"100 %"}'),
    ],
)
def test_a_policy_is_read_and_written_for_a_feature_and_for_all(
    written: str, policy: FallbackPolicy, text: str
) -> None:
    made = catalog(f"a: {{type: metered, on_store_failure: {written}}}", "on_store_failure: allow")
    whole = catalog("a: {type: metered}", f"on_store_failure: {written}")

    assert policy == made.definitions.features["a"].on_store_failure
    assert f'"on_store_failure":{text}'.encode() in made.document
    for each in (made, whole):
        again = Catalog.from_document(each.document)
        assert again.definitions == each.definitions
    snapshot = compile_snapshot(whole, 1)
    assert (policy, None) == (snapshot.on_store_failure, snapshot.features["a"].on_store_failure)


def test_a_document_without_a_policy_is_as_it_was() -> None:
    assert b"on_store_failure" not in catalog("a: {type: metered}").document


HINT = "must be above 0 % and at most 100 %; to let nothing through write 'deny'"


@pytest.mark.parametrize(
    ("feature", "problem"),
    [
        ("{type: metered, on_store_failure: alow}", ": unknown on_store_failure 'alow', did you"),
        ("{type: metered, on_store_failure: local}", ": says no share; write {local: 10 %}"),
        ("{type: metered, on_store_failure: {local: 0}}", f".local: {HINT}"),
        ("{type: metered, on_store_failure: {local: 100.01 %}}", f".local: {HINT}"),
        ("{type: metered, on_store_failure: {local: ten}}", ".local: must be a number such as"),
        ("{type: metered, on_store_failure: {local: 0.001}}", "more than 2 decimal places"),
        ("{type: metered, on_store_failure: {share: 1}}", ": unknown key 'share' (known: local)"),
        ("{type: metered, on_store_failure: {}}", ": is empty; write {local: 10 %}"),
        ("{type: metered, on_store_failure: 10}", ": must be deny, allow or {local: 10 %}, not 10"),
        ("{type: boolean, on_store_failure: {local: 1}}", "a boolean feature has no limit to have"),
        ("{type: config, on_store_failure: {local: 1}}", "a config feature has no limit to have"),
        (
            "{type: metered, kind: concurrency, on_store_failure: allow}",
            ": its slots are held in the store; its calls are denied while the store is gone",
        ),
        (
            "{type: metered, credit: {pool: p, cost: 1}, on_store_failure: allow}",
            ": a pool (p) pays for the feature, and only the store knows what is left of it; its",
        ),
    ],
)
def test_a_policy_that_cannot_be_is_refused_with_what_to_do(feature: str, problem: str) -> None:
    with pytest.raises(CatalogError) as refused:
        catalog(f"a: {feature}\n  p: {{type: metered}}")

    (told,) = refused.value.problems
    assert told.startswith("plans.yaml: features.a.on_store_failure")
    assert problem in told


def test_a_pool_has_no_policy_but_deny() -> None:
    with pytest.raises(CatalogError, match="it is a pool, and only the store knows"):
        catalog(
            "a: {type: metered, credit: {pool: p, cost: 1}, on_store_failure: deny}\n"
            "  p: {type: metered, on_store_failure: allow}"
        )


def test_a_change_of_policy_is_a_change_of_the_catalog() -> None:
    changes = diff(
        catalog("a: {type: metered, on_store_failure: allow}"),
        catalog("a: {type: metered, on_store_failure: {local: 5 %}}", "on_store_failure: deny"),
    )

    assert [
        ("on_store_failure", "", '"deny"'),
        ("features.a.on_store_failure", '"allow"', '{"local":"5 %"}'),
    ] == [(each.path, each.before, each.after) for each in changes]


def test_a_check_states_the_worst_case_of_what_is_let_through() -> None:
    made = catalog(
        "a: {type: metered, on_store_failure: allow}\n"
        "  b: {type: metered, on_store_failure: {local: 10 %}}\n"
        "  c: {type: metered}\n"
        "  d: {type: metered, on_store_failure: deny}\n"
        "  e: {type: boolean, on_store_failure: allow}\n"
        "  f: {type: metered, kind: concurrency}",
        "on_store_failure: {local: 50 %}",
        "{free: {entitlements: {a: {limit: 9}, b: {limits: [{limit: 1500, per: month},"
        " {limit: 9, per: day}]}, c: {unlimited: true}, d: {limit: 9}, e: true, f: {limit: 9}}}}",
    )

    told = "while the store is gone usage may pass the limit by"
    each = "of it, per customer and period"
    assert [
        f"features.a.on_store_failure: {told} whatever is asked for, until the journal is full"
        " (journal_max_mb)",
        f"features.b.on_store_failure: {told} 10 % {each}: 150 of 1,500 per month (free); 0 of 9"
        " per day (free), so nothing is let through",
        f"on_store_failure (c): {told} 50 % {each}",
    ] == advice(made.definitions)


def test_a_check_lists_no_more_than_can_be_read() -> None:
    features = "\n  ".join(f"f{i}: {{type: metered, on_store_failure: allow}}" for i in range(30))

    found = advice(catalog(features).definitions)

    assert (21, "and of 10 more features") == (len(found), found[-1])


def test_a_share_is_rounded_down_for_every_worker() -> None:
    assert [50, 12, 0] == [local(10).share_of(500, workers) for workers in (1, 4, 51)]
    assert 1_999 == local(33.33).share_of(6_000, 1)


@pytest.mark.parametrize(
    ("text", "policy"),
    [("deny", DENY), ("allow", ALLOW), ("local: 10 %", local(10)), ("local:0.5%", local(0.5))],
)
def test_a_setting_spells_a_policy(text: str, policy: FallbackPolicy) -> None:
    config = load({}, {"QUOTAD_ON_STORE_FAILURE": text})

    assert policy == read_policy(config.on_store_failure)
    assert read_policy(policy.in_words) == policy


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"on_store_failure": "half"}, "expected deny, allow, or local and a share, as 'local: 10"),
        ({"on_store_failure": "local: 0 %"}, "the share must be above 0 % and at most 100 %"),
        ({"on_store_failure": "local: 101 %"}, "the share must be above 0 % and at most 100 %"),
        ({"on_store_failure": "allow"}, "'allow' needs a journal, so that what is let through is"),
        ({"on_store_failure": "local:5%"}, "'local: 5 %' needs a journal"),
        ({"journal": "/proc/none"}, "journal: /proc/none: "),
        ({"journal": "", "fallback_workers": 1, "workers": 2}, "1 is less than the 2 workers of"),
    ],
)
def test_settings_that_cannot_be_end_the_start(settings: dict[str, object], problem: str) -> None:
    def start() -> None:
        config = load(settings, {})
        fallback_workers(config)
        Server(config)

    with pytest.raises(ConfigError) as refused:
        start()

    assert problem in str(refused.value)


def test_a_share_is_that_of_all_workers_that_decide() -> None:
    http = {"http": "127.0.0.1:1", "http_workers": 2}

    assert [1, 3, 5, 9] == [
        fallback_workers(load(settings, {}))
        for settings in ({}, {"workers": 3}, {"workers": 3, **http}, {"fallback_workers": 9})
    ]


def test_what_is_let_through_is_kept_until_its_period_ends_and_no_more_than_there_is_room_for() -> (
    None
):
    kept = LetThrough(2)
    kept.add("a", 5, 1_000)
    kept.add("b", 1, 0)
    kept.add("c", 1, 2_000)
    kept.add("a", 2, 1_000)

    assert [7, 1, 0] == [kept.of(name) for name in "abc"]
    assert kept.has_room(["a", "b"], 500)
    assert not kept.has_room(["c"], 500)
    assert kept.has_room(["c"], 1_000)
    assert [0, 1] == [kept.of(name) for name in "ab"]
    kept.take_back([("b", 1), ("none", 1)])
    assert [0, 0] == [kept.of(name) for name in ("b", "none")]


def test_what_is_left_of_a_quota_is_in_no_header_when_it_is_not_known() -> None:
    limits = (LimitStatus(5, False, 5, 0, 0, "day", None),)
    answer = Decision(
        False, 8, 1, limits=limits, retry_after_ms=1_000, detailed=True, is_fallback=True
    )

    assert [(b"retry-after", b"1")] == ratelimit_headers("calls", answer)
