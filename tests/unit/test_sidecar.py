"""The sidecar's loop, step by step: what the sources do to it."""

import logging
import threading

import pytest

from quotad.errors import CatalogError, StoreUnavailable
from quotad.operations.plan_files import unpack
from quotad.sidecar import Sidecar, SourceUnavailable
from tests.unit.sidecar_fakes import (
    BROKEN,
    EMPTY,
    FEATURES,
    WRONG,
    FakeCatalogs,
    FakeSource,
    Make,
    Seconds,
    digest_of,
    maker,
    plan,
)


@pytest.fixture
def catalogs() -> FakeCatalogs:
    return FakeCatalogs()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def make(catalogs: FakeCatalogs, seconds: Seconds, caplog: pytest.LogCaptureFixture) -> Make:
    caplog.set_level(logging.INFO, logger="quotad.sidecar")
    return maker(catalogs, seconds)


def test_the_first_step_publishes_what_the_sources_hold(make: Make, catalogs: FakeCatalogs) -> None:
    sidecar = make(FakeSource(plan(100)))

    assert not sidecar.state.ready

    sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests
    assert "test" == catalogs.records[0].published_by
    assert sidecar.state.ready
    assert 1 == sidecar.state.version
    assert digest_of(plan(100)) == sidecar.state.digest
    assert not sidecar.state.problems


def test_steps_without_a_change_leave_the_store_alone(make: Make, catalogs: FakeCatalogs) -> None:
    sidecar = make(FakeSource(plan(100)))
    sidecar.step()
    calls = catalogs.calls
    for _ in range(10):
        sidecar.step()

    assert calls == catalogs.calls


def test_an_edit_is_published_and_its_changes_are_logged(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeSource(plan(100))
    sidecar = make(source)
    sidecar.step()
    source.give(plan(200))
    sidecar.step()

    assert [digest_of(plan(100)), digest_of(plan(200))] == catalogs.digests
    assert [
        "published catalog version 1",
        "published catalog version 2 (1 change):"
        " plans.pro.entitlements.api-calls.limits[0].limit 100 -> 200",
    ] == caplog.messages


def test_at_most_five_changes_are_shown(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    def plans(limit: int) -> str:
        names = "".join(
            f"  p{i}: {{entitlements: {{api-calls: {{limit: {limit}, per: day}}}}}}\n"
            for i in range(7)
        )
        return f"version: 1\nfeatures:\n  api-calls: {{type: metered}}\nplans:\n{names}"

    source = FakeSource(plans(1))
    sidecar = make(source)
    sidecar.step()
    source.give(plans(2))
    sidecar.step()

    assert "(7 changes): " in caplog.messages[-1]
    assert 5 == caplog.messages[-1].count(" -> ")
    assert caplog.messages[-1].endswith(", ...")


def test_sources_are_merged_into_one_catalog(make: Make, catalogs: FakeCatalogs) -> None:
    plans = plan(100).removeprefix(FEATURES)
    sidecar = make(FakeSource(FEATURES, name="features.yaml"), FakeSource(plans))
    sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests


def test_nothing_is_published_before_every_source_has_answered(
    make: Make, catalogs: FakeCatalogs
) -> None:
    late = FakeSource(name="late.yaml")
    sidecar = make(FakeSource(plan(100)), late)
    sidecar.step()

    assert [] == catalogs.records
    assert not sidecar.state.ready

    late.give(EMPTY)
    sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests


def test_a_bad_catalog_is_not_published_and_every_problem_is_logged_once(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeSource(plan(100))
    sidecar = make(source)
    sidecar.step()
    source.give(WRONG)
    for _ in range(5):
        sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests
    assert 2 == len(sidecar.state.problems)
    assert sidecar.state.ready
    [line] = caplog.messages[1:]
    assert "(2 problems), the catalog in force stays: " in line
    assert all(problem in line for problem in sidecar.state.problems)


def test_what_is_in_force_while_files_are_broken_from_the_start_is_named(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    def first_line() -> str:
        caplog.clear()
        make(FakeSource(BROKEN)).step()
        return caplog.messages[0].partition(":")[0]

    found = [first_line()]
    make(FakeSource(plan(100))).step()
    found.append(first_line())
    catalogs.error = StoreUnavailable("gone")
    found.append(first_line())

    assert [
        "the catalog is not valid, no catalog is in force",
        "the catalog is not valid, the catalog in force stays",
        "the catalog is not valid, nothing is published",
    ] == found


def test_another_problem_is_logged_again(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    source = FakeSource(WRONG)
    sidecar = make(source)
    sidecar.step()
    source.give(BROKEN)
    sidecar.step()

    assert 2 == len(caplog.messages)
    assert caplog.messages[0] != caplog.messages[1]


def test_a_repaired_catalog_is_published(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeSource(plan(100))
    sidecar = make(source)
    for text in (plan(100), BROKEN, plan(200)):
        source.give(text)
        sidecar.step()

    assert [digest_of(plan(100)), digest_of(plan(200))] == catalogs.digests
    assert not sidecar.state.problems
    assert "the catalog is valid again" in caplog.messages


def test_a_mistake_that_is_taken_back_publishes_nothing(make: Make, catalogs: FakeCatalogs) -> None:
    source = FakeSource()
    sidecar = make(source)
    for text in (plan(100), BROKEN, plan(100)):
        source.give(text)
        sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests
    assert not sidecar.state.problems


def test_a_source_that_is_lost_keeps_its_content_and_does_not_hold_up_the_others(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    edited, lost = FakeSource(plan(100)), FakeSource(EMPTY, name="lost.yaml")
    sidecar = make(edited, lost)
    sidecar.step()
    lost.fail(SourceUnavailable("lost.yaml: no such file or directory"))
    sidecar.step()
    edited.give(plan(200))
    sidecar.step()

    assert [digest_of(plan(100)), digest_of(plan(200))] == catalogs.digests
    assert ("lost.yaml: no such file or directory",) == sidecar.state.problems

    lost.fail(None)
    sidecar.step()

    assert not sidecar.state.problems
    assert [
        "cannot read a source, the catalog in force stays: lost.yaml: no such file or directory",
        "lost.yaml can be read again",
    ] == [line for line in caplog.messages if "lost.yaml" in line]


def test_a_source_with_broken_content_holds_everything_until_it_is_repaired(
    make: Make, catalogs: FakeCatalogs
) -> None:
    edited, broken = FakeSource(plan(100)), FakeSource(EMPTY, name="broken.yaml")
    sidecar = make(edited, broken)
    sidecar.step()
    broken.fail(CatalogError(["broken.yaml: line 1: not UTF-8"]))
    edited.give(plan(200))
    sidecar.step()

    assert [digest_of(plan(100))] == catalogs.digests
    assert ("broken.yaml: line 1: not UTF-8",) == sidecar.state.problems

    broken.fail(None)
    sidecar.step()

    assert [digest_of(plan(100)), digest_of(plan(200))] == catalogs.digests
    assert not sidecar.state.problems


def test_a_unit_that_is_counted_in_is_not_changed(
    make: Make, catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeSource(plan(100))
    sidecar = make(source)
    sidecar.step()
    caplog.clear()
    source.give(plan(100).replace("type: metered", "type: metered, decimals: 2"))
    sidecar.step()

    [problem] = sidecar.state.problems
    assert "features.api-calls.decimals: cannot change from 0 to 2" in problem
    assert [f"cannot publish, the catalog in force stays: {problem}"] == caplog.messages

    source.give(plan(200))
    sidecar.step()

    assert [digest_of(plan(100)), digest_of(plan(200))] == catalogs.digests
    assert not sidecar.state.problems


def test_an_edit_back_to_old_content_is_published(make: Make, catalogs: FakeCatalogs) -> None:
    source = FakeSource()
    sidecar = make(source)
    for limit in (100, 200, 100):
        source.give(plan(limit))
        sidecar.step()

    assert [digest_of(plan(limit)) for limit in (100, 200, 100)] == catalogs.digests


def test_run_steps_until_it_is_stopped(make: Make, catalogs: FakeCatalogs) -> None:
    stop = threading.Event()
    source = FakeSource(plan(100))
    sidecar = make(source)
    catalogs.in_between = stop.set
    sidecar.run(stop)

    assert [digest_of(plan(100))] == catalogs.digests


def test_run_survives_a_bug(
    catalogs: FakeCatalogs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    source = FakeSource()
    source.fail(ZeroDivisionError())
    sidecar = Sidecar([source], catalogs, poll_interval_s=0.0)
    waits = []

    def repair(timeout: float | None = None) -> bool:
        waits.append(timeout)
        source.give(plan(100))
        return False

    monkeypatch.setattr(stop, "wait", repair)
    catalogs.in_between = stop.set
    sidecar.run(stop)

    assert [digest_of(plan(100))] == catalogs.digests
    assert "ZeroDivisionError" in caplog.text
    assert 2.0 == waits[0]


def test_files_are_kept_as_they_are_written_for_people_who_edit_them(
    make: Make, catalogs: FakeCatalogs
) -> None:
    source = FakeSource(plan(100))
    sidecar = make(source)
    sidecar.step()

    assert [plan(100)] == [file.text for file in unpack(catalogs.files[1])]
    noted = f"# a note\n{plan(100)}"
    source.give(noted)
    sidecar.step()

    digest, data = catalogs.files
    assert (digest, [noted]) == (digest_of(noted), [file.text for file in unpack(data)])
    assert 1 == len(catalogs.records)
