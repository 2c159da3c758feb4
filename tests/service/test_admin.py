"""AdminService over both fronts: catalogs, customers and status."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from quotad.service.admin import AdminServicer
from quotad.v1 import admin_pb2 as pb
from quotad.v1 import quota_pb2
from quotad.v1.admin_pb2_grpc import AdminServiceServicer
from tests.running import CALL_S, FRONTS, Running, refusal, running

PUBLISHED = pb.PublishCatalogResponse.OUTCOME_PUBLISHED
UNCHANGED = pb.PublishCatalogResponse.OUTCOME_UNCHANGED
FAR = 4_000_000_000


def plans(limit: int) -> str:
    return (
        "version: 1\nfeatures:\n  calls: {type: metered}\nplans:\n"
        f"  free:\n    entitlements:\n      calls: {{limit: {limit}}}\n"
        "  pro:\n    entitlements:\n      calls: {limit: 1000}\n"
    )


def test_every_method_of_the_service_is_ours() -> None:
    methods = [method.name for method in pb.DESCRIPTOR.services_by_name["AdminService"].methods]

    missing = [
        name
        for name in methods
        if getattr(AdminServicer, name) is getattr(AdminServiceServicer, name)
    ]

    assert ([], True) == (missing, len(methods) > 10)


@pytest.fixture(params=FRONTS)
def fresh(request: pytest.FixtureRequest, store_url: str, prefix: str) -> Iterator[Running]:
    """A server whose store holds no catalog yet."""
    with running(store_url, prefix, request.param) as made:
        yield made


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(plans(5))
    return served


def call(quotad: Running, method: str, request: Any) -> Any:
    return getattr(quotad.admin, method)(request, timeout=CALL_S)


def history(quotad: Running, size: int = 0) -> list[tuple[int, str, bool]]:
    answer = call(quotad, "ListCatalogVersions", pb.ListCatalogVersionsRequest(page_size=size))
    return [(v.version, v.published_by, v.in_force) for v in answer.versions]


def rows(changes: Any) -> list[tuple[str, str, str]]:
    return [(c.path, c.before, c.after) for c in changes]


def test_a_catalog_lives_from_first_publish_to_rollback(fresh: Running) -> None:
    quotad = fresh
    quotad.wait_for_store()
    failed = refusal(lambda: call(quotad, "GetCatalog", pb.GetCatalogRequest()))
    assert "NOT_FOUND NOT_FOUND: version: no catalog was published yet" == repr(failed)
    assert [] == history(quotad)

    sent = time.time()
    first = quotad.publish(plans(5), published_by="ann")
    assert (PUBLISHED, 1, "ann", True) == (
        first.outcome,
        first.version.version,
        first.version.published_by,
        first.version.in_force,
    )
    assert sent - 60 < first.version.published_at.seconds < sent + 60
    assert 64 == len(first.version.digest)
    assert ("features.calls", "") == rows(first.changes)[0][:2]
    quotad.wait_ready()

    assert (UNCHANGED, 1) == (
        (again := quotad.publish(plans(5) + "# only a comment\n")).outcome,
        again.version.version,
    )
    assert [] == rows(again.changes)

    second = quotad.publish(
        plans(7), published_by="bob", expected_version=1, comment="more for spring"
    )
    change = ("plans.free.entitlements.calls.limits[0].limit", "5", "7")
    assert (PUBLISHED, 2, [change]) == (
        second.outcome,
        second.version.version,
        rows(second.changes),
    )
    failed = refusal(lambda: quotad.publish(plans(9), expected_version=1))
    assert "ABORTED CONFLICT: catalog version 2 is in force, not 1" in repr(failed)
    assert [(2, "bob", True), (1, "ann", False)] == history(quotad)
    assert [(2, "bob", True)] == history(quotad, 1)
    assert "more for spring" == second.version.comment

    got = call(quotad, "GetCatalog", pb.GetCatalogRequest())
    assert (2, second.version.digest) == (got.version.version, got.version.digest)
    assert (
        7
        == json.loads(got.document)["plans"]["free"]["entitlements"]["calls"]["limits"][0]["limit"]
    )
    old = call(quotad, "GetCatalog", pb.GetCatalogRequest(version=1))
    assert (1, first.version.digest, False) == (
        old.version.version,
        old.version.digest,
        old.version.in_force,
    )

    back = call(quotad, "RollbackCatalog", pb.RollbackCatalogRequest(version=1, comment="too much"))
    assert (PUBLISHED, 3, first.version.digest, "rollback to version 1", "too much") == (
        back.outcome,
        back.version.version,
        back.version.digest,
        back.version.published_by,
        back.version.comment,
    )
    assert [(change[0], "7", "5")] == rows(back.changes)
    assert [3, 2, 1] == [version for version, _, _ in history(quotad)]


@pytest.mark.parametrize("version", [0, -1, 99, 2**63 - 1, -(2**63)])
def test_a_version_that_was_never_published_is_not_found(quotad: Running, version: int) -> None:
    for method, request in (
        ("GetCatalog", pb.GetCatalogRequest(version=version)),
        ("RollbackCatalog", pb.RollbackCatalogRequest(version=version)),
        ("DiffCatalog", pb.DiffCatalogRequest(version=version, files=[file(plans(5))])),
    ):
        failed = refusal(lambda m=method, r=request: call(quotad, m, r))  # type: ignore[misc]
        assert (
            f"NOT_FOUND NOT_FOUND: version: catalog version {version} is not in the history"
            == repr(failed)
        )


@pytest.mark.parametrize("expected", [-1, 10**6, 2**63 - 1, -(2**63)])
def test_an_expected_version_that_is_not_in_force_is_a_conflict(
    quotad: Running, expected: int
) -> None:
    failed = refusal(lambda: quotad.publish(plans(8), expected_version=expected))

    assert ("ABORTED", "CONFLICT") == (failed.code.name, failed.reason)


def file(content: str, name: str = "plans.yaml") -> pb.CatalogFile:
    return pb.CatalogFile(name=name, content=content)


def test_a_diff_shows_what_would_change_and_changes_nothing(quotad: Running) -> None:
    before = history(quotad)
    changed = plans(6).replace("pro", "premium")

    answer = call(quotad, "DiffCatalog", pb.DiffCatalogRequest(files=[file(changed)]))

    paths = [path for path, _, _ in rows(answer.changes)]
    assert ("plans.free.entitlements.calls.limits[0].limit", "5", "6") in rows(answer.changes)
    assert {"plans.premium", "plans.pro"} <= set(paths)
    assert before[0][0] == answer.version.version
    assert before == history(quotad)


def test_a_catalog_may_come_in_several_files(quotad: Running) -> None:
    files = [
        file("version: 1\nfeatures:\n  calls: {type: metered}\n", "features.yaml"),
        file('{"plans": {"free": {"entitlements": {"calls": {"limit": 5}}}}}', "free.json"),
        file("[plans.pro.entitlements]\ncalls = {limit = 1000}\n", "pro.toml"),
    ]

    answer = call(quotad, "PublishCatalog", pb.PublishCatalogRequest(files=files))

    assert UNCHANGED == answer.outcome


def test_a_publish_without_files_is_refused(quotad: Running) -> None:
    for method, request in (
        ("PublishCatalog", pb.PublishCatalogRequest()),
        ("DiffCatalog", pb.DiffCatalogRequest()),
    ):
        failed = refusal(lambda m=method, r=request: call(quotad, m, r))  # type: ignore[misc]
        assert (
            "INVALID_ARGUMENT INVALID_REQUEST: files: missing; give at least one plan file"
            == repr(failed)
        )


def test_a_bad_catalog_is_refused_with_every_problem(quotad: Running) -> None:
    before = history(quotad)
    bad = plans(5).replace("{limit: 5}", "{limit: -5, per: mounth}") + "plnas: {}\n"

    failed = refusal(lambda: quotad.publish(bad))

    assert ("INVALID_ARGUMENT", "BAD_CATALOG") == (failed.code.name, failed.reason)
    lines = failed.message.splitlines()
    assert 3 == len(lines)
    assert all(line.startswith("plans.yaml: ") for line in lines)
    assert any("did you mean 'month'?" in line for line in lines)
    assert any("did you mean 'plans'?" in line for line in lines)
    assert before == history(quotad)


@pytest.mark.parametrize("letter", ["x", "ü", "日", "%"])
def test_a_flood_of_problems_is_shortened_to_what_a_header_can_carry(
    quotad: Running, letter: str
) -> None:
    entries = "".join(f"      '{letter * 30}{i}': {{limit: 1}}\n" for i in range(900))

    failed = refusal(lambda: quotad.publish(plans(5) + entries))

    assert ("INVALID_ARGUMENT", "BAD_CATALOG") == (failed.code.name, failed.reason)
    lines = failed.message.splitlines()
    assert letter * 30 in lines[0]
    assert lines[-1].startswith("... and ")
    assert "more; `quotad catalog check` lists all of them" in lines[-1]
    hidden = int(lines[-1].split()[2])
    assert 900 == hidden + len(lines) - 1
    assert 10 < len(lines) < 100


def test_one_problem_larger_than_a_header_is_reported_as_a_number(quotad: Running) -> None:
    failed = refusal(lambda: quotad.publish(plans(5) + f"      {'x' * 20_000}: {{limit: 1}}\n"))

    assert ("INVALID_ARGUMENT", "BAD_CATALOG") == (failed.code.name, failed.reason)


def test_a_customer_lives_from_provision_over_archive_to_provision(
    quotad: Running, customer: str
) -> None:
    made = quotad.provision(customer, "free")

    assert (customer, pb.CUSTOMER_STATUS_ACTIVE) == (made.customer_id, made.status)
    (subscription,) = made.subscriptions
    assert "free" == subscription.plan_id
    assert made.created_at == made.updated_at == subscription.start
    assert quotad.consume(customer, "calls", quantity=4).allowed

    gone = quotad.archive(customer)
    assert pb.CUSTOMER_STATUS_ARCHIVED == gone.status
    assert made.created_at == gone.created_at
    assert [subscription] == list(gone.subscriptions)
    assert "REASON_CUSTOMER_ARCHIVED" == reason(quotad, customer)
    assert gone == call(quotad, "GetCustomer", pb.GetCustomerRequest(customer_id=customer))

    back = quotad.provision(customer, "free")
    assert pb.CUSTOMER_STATUS_ACTIVE == back.status
    assert 0 < made.epoch < gone.epoch < back.epoch
    # Its subscription goes on, and its usage was kept.
    assert [subscription] == list(back.subscriptions)
    assert (True, 5) == (
        (answer := quotad.consume(customer, "calls")).allowed,
        answer.used,
    )


def reason(quotad: Running, customer: str) -> str:
    return str(quota_pb2.Reason.Name(quotad.consume(customer, "calls", quantity=0).reason))


def test_a_change_of_plan_keeps_usage_and_start(quotad: Running, customer: str) -> None:
    first = quotad.provision(customer, "free")
    quotad.consume(customer, "calls", quantity=5)

    changed = quotad.provision(customer, "pro")

    assert [("pro", first.subscriptions[0].start)] == [
        (s.plan_id, s.start) for s in changed.subscriptions
    ]
    assert (6, 994) == ((a := quotad.consume(customer, "calls")).used, a.remaining)


def test_a_start_in_the_future_keeps_todays_plan(quotad: Running, customer: str) -> None:
    quotad.provision(customer, "free")

    changed = quotad.provision(customer, "pro", start=FAR)

    assert ["free", "pro"] == [s.plan_id for s in changed.subscriptions]
    assert FAR == changed.subscriptions[1].start.seconds
    assert 5 == quotad.consume(customer, "calls").limit


def test_a_start_in_the_past_is_in_force_at_once(quotad: Running, customer: str) -> None:
    made = quotad.provision(customer, "pro", start=1_000_000_000)

    assert [1_000_000_000] == [s.start.seconds for s in made.subscriptions]
    assert 1000 == quotad.consume(customer, "calls").limit


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 253_402_300_800, -62_135_596_800, -1])
def test_a_start_that_calendars_cannot_count_from_is_refused(
    quotad: Running, customer: str, seconds: int
) -> None:
    failed = refusal(lambda: quotad.provision(customer, "pro", start=seconds))

    assert ("INVALID_ARGUMENT", "INVALID_REQUEST") == (failed.code.name, failed.reason)
    assert failed.message.startswith("start: ")
    assert "REASON_CUSTOMER_NOT_FOUND" == reason(quotad, customer)


def test_an_unknown_plan_is_refused_with_the_nearest_name(quotad: Running, customer: str) -> None:
    failed = refusal(lambda: quotad.provision(customer, "pros"))

    assert (
        "INVALID_ARGUMENT INVALID_REQUEST: plan_id: unknown plan 'pros', did you mean 'pro'?"
        == repr(failed)
    )
    assert "REASON_CUSTOMER_NOT_FOUND" == reason(quotad, customer)


def test_a_customer_that_was_never_provisioned_is_not_found(quotad: Running, customer: str) -> None:
    for method, request in (
        ("GetCustomer", pb.GetCustomerRequest(customer_id=customer)),
        ("ArchiveCustomer", pb.ArchiveCustomerRequest(customer_id=customer)),
    ):
        failed = refusal(lambda m=method, r=request: call(quotad, m, r))  # type: ignore[misc]
        assert f"NOT_FOUND NOT_FOUND: customer_id: {customer!r} was never provisioned" == repr(
            failed
        )


def test_every_customer_is_listed_once(fresh: Running) -> None:
    fresh.publish_and_wait(plans(5))
    names = {f"c:{i}" for i in range(25)} | {"ünï", "{x}"}
    for name in names:
        fresh.provision(name, "free")
    fresh.archive("c:3")

    found: list[Any] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = pb.ListCustomersRequest(page_size=4, page_token=token)
        page = call(fresh, "ListCustomers", request)
        assert len(page.customers) <= 4
        found += page.customers
        token, pages = page.next_page_token, pages + 1

    assert sorted(names) == sorted(c.customer_id for c in found)
    assert ["c:3"] == [c.customer_id for c in found if c.status == pb.CUSTOMER_STATUS_ARCHIVED]
    every = call(fresh, "ListCustomers", pb.ListCustomersRequest())
    assert [c.customer_id for c in found] == [c.customer_id for c in every.customers]
    assert "" == every.next_page_token


@pytest.mark.parametrize("size", [-1, 1001, 2**31 - 1])
def test_a_page_size_out_of_range_is_refused(quotad: Running, size: int) -> None:
    for method, request in (
        ("ListCustomers", pb.ListCustomersRequest(page_size=size)),
        ("ListCatalogVersions", pb.ListCatalogVersionsRequest(page_size=size)),
    ):
        failed = refusal(lambda m=method, r=request: call(quotad, m, r))  # type: ignore[misc]
        assert (
            "INVALID_ARGUMENT INVALID_REQUEST: "
            f"page_size: {size} is not between 0 and 1000" == repr(failed)
        )


@pytest.mark.parametrize(
    "token",
    ["x", ":", "8:a", "-1:a", "²:a", "9" * 5000, "9" * 5000 + ":", "x" * 100_000, "日" * 999],
)
def test_a_page_token_of_another_call_is_refused(quotad: Running, token: str) -> None:
    failed = refusal(
        lambda: call(quotad, "ListCustomers", pb.ListCustomersRequest(page_token=token))
    )

    assert ("INVALID_ARGUMENT", "INVALID_REQUEST") == (failed.code.name, failed.reason)
    assert failed.message.startswith("page_token: ")


def test_the_status_shows_how_the_worker_is(fresh: Running) -> None:
    fresh.wait_for_store()

    answer = call(fresh, "GetStatus", pb.GetStatusRequest())
    assert (False, True) == (answer.ready, answer.store_up)
    assert answer.not_ready_reason.startswith("no catalog was published yet")
    assert not answer.HasField("catalog")

    published = fresh.publish_and_wait(plans(5))
    fresh.provision("acme", "free")
    for quantity in (2, 2, 2):
        fresh.consume("acme", "calls", quantity=quantity)
    fresh.consume("x", "calls")
    answer = call(fresh, "GetStatus", pb.GetStatusRequest())

    assert (True, "") == (answer.ready, answer.not_ready_reason)
    assert (published.version.version, published.version.digest, True) == (
        answer.catalog.version,
        answer.catalog.digest,
        answer.catalog.in_force,
    )
    assert {"WITHIN_LIMIT": 2, "LIMIT_EXCEEDED": 1, "CUSTOMER_NOT_FOUND": 1} == dict(
        answer.decisions
    )
    assert (os.getpid(), fresh.config.front, 2) == (
        answer.pid,
        answer.front,
        answer.cached_customers,
    )
    assert fresh.config.redis_url.partition("://")[2] in answer.store
    assert time.time() - 60 < answer.started_at.seconds < time.time() + 60


def test_the_author_of_a_publish_is_a_few_words(quotad: Running) -> None:
    file = pb.CatalogFile(name="c.yaml", content="version: 1\nfeatures: {}\nplans: {}\n")
    request = pb.PublishCatalogRequest(files=[file], published_by="x" * 257)

    failed = refusal(lambda: call(quotad, "PublishCatalog", request))

    assert failed.message == "published_by: 257 bytes long; at most 256 are allowed"
    request = pb.PublishCatalogRequest(files=[file], comment="x" * 1025)
    failed = refusal(lambda: call(quotad, "PublishCatalog", request))
    assert failed.message == "comment: is longer than 1024 bytes"
