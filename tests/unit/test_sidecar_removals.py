"""What is in force and missing in the sources is waited for before it is taken out."""

import logging

import pytest

from quotad.catalog import Catalog, Source, parse
from quotad.errors import StoreUnavailable
from quotad.sidecar import Sidecar
from quotad.sidecar.removals import left_out
from tests.unit.sidecar_fakes import FakeCatalogs, FakeSource, Seconds, digest_of

HEAD = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: %d, per: month}
"""
TAIL = "  pro: {entitlements: {calls: {limit: 1000, per: month}}}\n"


@pytest.fixture
def catalogs() -> FakeCatalogs:
    return FakeCatalogs()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def source() -> FakeSource:
    return FakeSource(HEAD % 1 + TAIL)


@pytest.fixture
def sidecar(catalogs: FakeCatalogs, seconds: Seconds, source: FakeSource) -> Sidecar:
    made = Sidecar([source], catalogs, removal_delay_s=30, now=seconds)
    made.step()
    return made


def steps(sidecar: Sidecar, seconds: Seconds, seconds_each: float, count: int) -> None:
    for _ in range(count):
        seconds.now += seconds_each
        sidecar.step()


def test_half_a_file_is_not_published_and_the_whole_of_it_at_once(
    sidecar: Sidecar, catalogs: FakeCatalogs, seconds: Seconds, source: FakeSource
) -> None:
    source.give(HEAD % 2)
    steps(sidecar, seconds, 0.2, 50)

    assert 1 == len(catalogs.records)
    assert ("plans.pro",) == sidecar.state.waiting
    assert sidecar.state.ready

    source.give(HEAD % 2 + TAIL)
    sidecar.step()

    assert [digest_of(HEAD % limit + TAIL) for limit in (1, 2)] == catalogs.digests
    assert not sidecar.state.waiting


def test_what_stays_away_is_taken_out_after_the_delay(
    sidecar: Sidecar,
    catalogs: FakeCatalogs,
    seconds: Seconds,
    source: FakeSource,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "quotad.sidecar"):
        source.give(HEAD % 1)
        sidecar.step()
        steps(sidecar, seconds, 1, 29)

        assert 1 == len(catalogs.records)

        steps(sidecar, seconds, 1, 1)

    assert digest_of(HEAD % 1) == catalogs.digests[-1]
    waiting, published = caplog.messages
    assert waiting.startswith("not published yet: plans.pro is in force and missing in the files")
    assert published.startswith("published catalog version 2")


def test_an_edit_meanwhile_does_not_make_the_wait_longer(
    sidecar: Sidecar, catalogs: FakeCatalogs, seconds: Seconds, source: FakeSource
) -> None:
    for limit in range(2, 8):
        source.give(HEAD % limit)
        sidecar.step()
        seconds.now += 5
    sidecar.step()

    assert digest_of(HEAD % 7) == catalogs.digests[-1]


def test_what_comes_back_and_goes_again_is_waited_for_again(
    sidecar: Sidecar, catalogs: FakeCatalogs, seconds: Seconds, source: FakeSource
) -> None:
    for text in (HEAD % 1, HEAD % 1 + TAIL, HEAD % 1):
        source.give(text)
        steps(sidecar, seconds, 20, 1)

    assert 1 == len(catalogs.records)


def test_a_restart_in_the_middle_of_a_write_waits_as_well(
    sidecar: Sidecar, catalogs: FakeCatalogs, seconds: Seconds
) -> None:
    other = Sidecar([FakeSource(HEAD % 2)], catalogs, removal_delay_s=30, now=seconds)
    other.step()

    assert 1 == len(catalogs.records)
    assert other.state.ready


def test_a_store_that_fails_during_the_wait_changes_nothing(
    sidecar: Sidecar, catalogs: FakeCatalogs, seconds: Seconds, source: FakeSource
) -> None:
    source.give(HEAD % 2)
    sidecar.step()
    catalogs.error = StoreUnavailable("gone")
    steps(sidecar, seconds, 10, 2)
    catalogs.error = None
    steps(sidecar, seconds, 2, 1)

    assert 1 == len(catalogs.records)

    steps(sidecar, seconds, 10, 1)

    assert digest_of(HEAD % 2) == catalogs.digests[-1]


def test_without_a_delay_nothing_is_waited_for(catalogs: FakeCatalogs, source: FakeSource) -> None:
    sidecar = Sidecar([source], catalogs, removal_delay_s=0)
    sidecar.step()
    source.give(HEAD % 1)
    sidecar.step()

    assert 2 == len(catalogs.records)


def catalog(text: str) -> Catalog:
    return parse([Source("plans.yaml", text)])


FULL = """
version: 1
default_plan: free
features: {calls: {type: metered}, sso: {type: boolean}, seats: {type: metered, kind: gauge}}
groups: {basics: {entitlements: {sso: true}}}
plans:
  free: {groups: [basics], entitlements: {calls: {limit: 1}}}
  pro: {extends: free, entitlements: {seats: {limit: 5}}}
addons: {more: {entitlements: {seats: {add: 1}, calls: unlimited}}}
"""


@pytest.mark.parametrize(
    ("cut", "by", "missing"),
    [
        ("default_plan: free\n", "", ["default_plan"]),
        ("calls: {limit: 1}", "", [f"plans.{name}.entitlements.calls" for name in ("free", "pro")]),
        ("groups: [basics], ", "", [f"plans.{name}.entitlements.sso" for name in ("free", "pro")]),
        ("calls: {limit: 1}", "calls: false", ["plans.pro.entitlements.calls"]),
        ("seats: {limit: 5}", "seats: false", []),
        (", calls: unlimited", "", ["addons.more.entitlements.calls"]),
        ("more: {entitlements: {seats: {add: 1}, calls: unlimited}}", "", ["addons.more"]),
        ("extends: free, ", "extends: free, archived: true, ", []),
        ("limit: 1}", "limit: 0}", []),
    ],
)  # fmt: skip
def test_what_is_left_out_is_what_customers_had_and_the_files_do_not_mention(
    cut: str, by: str, missing: list[str]
) -> None:
    assert missing == left_out(catalog(FULL), catalog(FULL.replace(cut, by)))


def test_of_a_feature_that_is_gone_its_entitlements_are_not_listed() -> None:
    without = FULL.replace(", seats: {type: metered, kind: gauge}", "")
    without = without.replace("seats: {limit: 5}", "").replace("seats: {add: 1}, ", "")

    assert ["features.seats"] == left_out(catalog(FULL), catalog(without))
