"""Who has what of a plan that changes: two servers, real publishes, and the next call."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quotad.catalog import Catalog
from quotad.clock import SyncedClock
from quotad.sidecar import FileSource, Sidecar
from quotad.store import Catalogs
from quotad.v1 import admin_pb2 as pb
from tests.running import CALL_S, Running, refusal, running

ALL, NEW = pb.APPLY_TO_ALL, pb.APPLY_TO_NEW
PUBLISHED = pb.PublishCatalogResponse.OUTCOME_PUBLISHED
UNCHANGED = pb.PublishCatalogResponse.OUTCOME_UNCHANGED


def plans(limit: int, more: str = "", pro: str = "") -> str:
    return (
        "version: 1\ndefault_plan: pro\nfeatures: {calls: {type: metered}, sso: {type: boolean}}\n"
        f"plans:\n  pro: {{{pro}entitlements: {{calls: {{limit: {limit}, per: month}}{more}}}}}\n"
    )


TO_NEW = "apply_to: new, "


@pytest.fixture
def server(store_url: str, prefix: str) -> Iterator[Running]:
    with running(store_url, prefix) as made:
        made.wait_for_store()
        yield made


@pytest.fixture
def catalogs(server: Running) -> Catalogs:
    return Catalogs(server.store, server.keys, SyncedClock())


def limit_of(server: Running, customer_id: str) -> int:
    answer = server.consume(customer_id, "calls")
    assert answer.allowed
    return int(answer.limit)


def limits(server: Running, *customers: str) -> list[int]:
    return [limit_of(server, customer_id) for customer_id in customers]


def revisions(catalogs: Catalogs) -> tuple[int, list[int]]:
    """The plan's revision in force, and the earlier ones that are kept."""
    record = catalogs.current()
    assert record is not None
    plan = Catalog.from_document(record.document).definitions.plans["pro"]
    return plan.revision, list(plan.earlier)


def change(server: Running, **fields: Any) -> Any:
    request = pb.ChangeSubscriptionRequest(**fields)
    return server.admin.ChangeSubscription(request, timeout=CALL_S)


@pytest.mark.parametrize("way", ["file", "option"])
def test_a_change_for_new_subscriptions_leaves_the_others_as_they_are(
    server: Running, way: str
) -> None:
    server.publish_and_wait(plans(100))
    server.provision("old", "pro")
    if way == "file":
        server.publish(plans(200, pro=TO_NEW))
    else:
        server.publish(plans(200), apply_to=NEW)
    server.provision("new", "pro")

    assert [100, 200] == limits(server, "old", "new")


def test_a_change_for_everybody_is_everybodys_at_the_next_call(server: Running) -> None:
    server.publish_and_wait(plans(100))
    server.provision("old", "pro")
    server.publish(plans(200), apply_to=NEW)
    server.provision("new", "pro")
    server.publish(plans(300))

    assert [300, 300] == limits(server, "old", "new")


def test_everybody_can_be_moved_to_a_plan_without_changing_it(server: Running) -> None:
    server.publish_and_wait(plans(100))
    server.provision("old", "pro")
    server.publish(plans(200), apply_to=NEW)
    moved = server.publish(plans(200), apply_to=ALL)

    assert PUBLISHED == moved.outcome
    assert [200] == limits(server, "old")


def test_everybody_stays_on_the_revision_that_they_subscribed_to(server: Running) -> None:
    for limit in (100, 200, 300):
        server.publish(plans(limit, pro=TO_NEW))
        server.wait_ready()
        server.provision(f"of-{limit}", "pro")

    assert [100, 200, 300] == limits(server, "of-100", "of-200", "of-300")


def test_who_was_moved_by_a_change_for_everybody_stays_with_it(server: Running) -> None:
    """Their subscriptions still say revision 1, which no longer exists when 3 comes."""
    server.publish_and_wait(plans(100))
    server.provision("first", "pro")
    server.publish(plans(200), apply_to=NEW)
    server.provision("second", "pro")
    server.publish(plans(300), apply_to=ALL)
    server.publish(plans(400), apply_to=NEW)
    server.provision("third", "pro")

    assert [300, 300, 400] == limits(server, "first", "second", "third")


def test_who_was_never_provisioned_has_the_default_plan_as_it_is_now(server: Running) -> None:
    server.publish_and_wait(plans(100))
    before = limit_of(server, "nobody")
    server.publish(plans(200), apply_to=NEW)

    assert [100, 200] == [before, limit_of(server, "nobody")]


def test_a_changed_base_does_not_reach_earlier_subscribers(server: Running) -> None:
    text = plans(1).replace("{calls: {limit: 1, per: month}}", "{sso: true}")
    text = text.replace("pro: {", "pro: {extends: base, ")
    base = "  base: {entitlements: {calls: {limit: %d, per: month}}}\n"
    server.publish_and_wait(text + base % 100)
    server.provision("old", "pro")
    server.publish(text + base % 200, apply_to=NEW)
    server.publish(text + base % 300, apply_to=NEW)
    server.provision("new", "pro")

    assert [100, 300] == limits(server, "old", "new")
    assert server.consume("old", "sso").allowed


def test_one_subscription_is_moved_to_the_latest_revision_and_keeps_its_usage(
    server: Running,
) -> None:
    server.publish_and_wait(plans(100))
    server.provision("one", "pro")
    server.provision("other", "pro")
    server.consume("one", "calls", quantity=7)
    server.publish(plans(200), apply_to=NEW)
    moved = change(server, customer_id="one", latest_revision=True)
    answer = server.consume("one", "calls")

    assert 2 == moved.subscriptions[-1].revision
    assert (200, 8) == (answer.limit, answer.used)
    assert [100] == limits(server, "other")


def test_provisioning_again_does_not_change_the_revision(server: Running) -> None:
    server.publish_and_wait(plans(100))
    server.provision("old", "pro")
    server.publish(plans(200), apply_to=NEW)
    server.provision("old", "pro")

    assert [100] == limits(server, "old")


def test_unchanged_files_are_no_publish_also_when_there_are_revisions(
    server: Running, catalogs: Catalogs
) -> None:
    server.publish(plans(100))
    server.publish(plans(200), apply_to=NEW)
    again = [server.publish(plans(200)), server.publish(plans(200), apply_to=NEW)]

    assert [(UNCHANGED, 2, 0)] * 2 == [
        (each.outcome, each.version.version, len(each.changes)) for each in again
    ]
    assert (2, [1]) == revisions(catalogs)


def test_a_comparison_shows_the_revisions_that_a_publish_would_make(server: Running) -> None:
    server.publish(plans(100))
    file = pb.CatalogFile(name="plans.yaml", content=plans(200))
    request = pb.DiffCatalogRequest(files=[file], apply_to=NEW)
    wanted = server.admin.DiffCatalog(request, timeout=CALL_S).changes
    published = server.publish(plans(200), apply_to=NEW)

    assert list(published.changes) == list(wanted)
    assert {"plans.pro.revision", "plans.pro.earlier"} <= {each.path for each in wanted}


def test_a_publish_over_another_version_than_expected_is_refused(server: Running) -> None:
    server.publish(plans(100))
    server.publish(plans(200))
    request = {"expected_version": 1, "apply_to": NEW}

    with pytest.raises(Exception, match="catalog version 2 is in force, not 1"):
        server.publish(plans(300), **request)
    assert UNCHANGED == server.publish(plans(200), **request).outcome


def test_an_unknown_word_for_the_customers_of_a_change_is_refused(server: Running) -> None:
    with pytest.raises(Exception, match="apply_to: 7 is none of APPLY_TO_ALL, APPLY_TO_NEW"):
        server.publish(plans(100), apply_to=7)


def test_a_unit_that_is_counted_in_is_changed_by_no_publish(
    server: Running, catalogs: Catalogs
) -> None:
    without, fine = (
        plans(100).replace("calls: {type: metered}", f"calls: {{type: {feature}}}")
        for feature in ("metered, decimals: 0", "metered, decimals: 2")
    )
    server.publish(fine)
    server.publish("version: 1\n")
    server.publish(without)
    file = pb.CatalogFile(name="plans.yaml", content=fine)
    tries = {
        "publish": lambda: server.publish(fine),
        "diff": lambda: server.admin.DiffCatalog(
            pb.DiffCatalogRequest(files=[file]), timeout=CALL_S
        ),
        "rollback": lambda: rollback(server, 1),
    }

    refusals = {name: repr(refusal(publish)) for name, publish in tries.items()}

    why = "features.calls.decimals: cannot change from 0 to 2, because what is counted"
    assert {} == {name: text for name, text in refusals.items() if why not in text}
    assert 3 == catalogs.version()


def rollback(server: Running, version: int) -> Any:
    request = pb.RollbackCatalogRequest(version=version)
    return server.admin.RollbackCatalog(request, timeout=CALL_S)


def test_a_rollback_gives_everybody_what_they_had(server: Running) -> None:
    server.publish_and_wait(plans(100))
    server.provision("first", "pro")
    server.publish(plans(200), apply_to=NEW)
    server.provision("second", "pro")
    server.publish(plans(300), apply_to=ALL)
    assert [300, 300] == limits(server, "first", "second")
    rollback(server, 2)

    assert [100, 200] == limits(server, "first", "second")


def test_who_subscribed_to_what_was_taken_back_keeps_what_it_was_taken_back_to(
    server: Running, catalogs: Catalogs
) -> None:
    server.publish_and_wait(plans(100))
    server.publish(plans(200), apply_to=NEW)
    server.provision("second", "pro")
    rollback(server, 1)
    assert [100] == limits(server, "second")
    server.publish(plans(400), apply_to=NEW)
    server.provision("third", "pro")

    assert [100, 400] == limits(server, "second", "third")
    assert (3, [2]) == revisions(catalogs)


def test_publishers_at_the_same_time_lose_no_revision(server: Running, catalogs: Catalogs) -> None:
    server.publish_and_wait(plans(100))
    server.provision("old", "pro")
    with ThreadPoolExecutor(6) as pool:
        publish = lambda limit: server.publish(plans(limit), apply_to=NEW).outcome  # noqa: E731
        outcomes = list(pool.map(publish, range(201, 207)))

    assert [PUBLISHED] * 6 == outcomes
    assert (7, [1, 2, 3, 4, 5, 6]) == revisions(catalogs)
    assert [100] == limits(server, "old")


def test_a_sidecar_carries_revisions_and_knows_its_files_again(
    server: Running, catalogs: Catalogs, tmp_path: Path
) -> None:
    path = tmp_path / "plans.yaml"
    path.write_text(plans(100, pro=TO_NEW))
    sidecar = Sidecar([FileSource(path, settle_s=0)], catalogs)
    sidecar.step()
    server.wait_ready()
    server.provision("old", "pro")
    for limit in (2000, 30000):
        path.write_text(plans(limit, pro=TO_NEW))
        for _ in range(2):  # until the change has settled
            sidecar.step()
    assert [100] == limits(server, "old")
    for limit in (30000, 2000, 100):
        path.write_text(plans(limit, pro=TO_NEW))
        Sidecar([FileSource(path, settle_s=0)], catalogs).step()

    assert (3, [1, 2]) == revisions(catalogs)
    assert 3 == catalogs.version()


def test_a_sidecar_knows_files_that_another_publisher_published(
    server: Running, catalogs: Catalogs, tmp_path: Path
) -> None:
    for limit in (100, 200, 300):
        server.publish(plans(limit), apply_to=NEW)
    path = tmp_path / "plans.yaml"
    path.write_text(plans(200))
    Sidecar([FileSource(path, settle_s=0)], catalogs).step()

    assert 3 == catalogs.version()
