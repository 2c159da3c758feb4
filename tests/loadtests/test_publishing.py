"""G8 and G4: catalogs are published under load on two servers, smaller than the largest allowed."""

from loadtests.bench.publishing import measure


def test_a_publish_under_load_fails_no_call_and_is_in_force_when_it_returns() -> None:
    steps = measure(plans=200, features=250, entitlements=9_000, rounds=1)

    assert ["no publish", "50,000 inherited", "9,000 written out"] == [step.what for step in steps]
    assert all(step.calls for step in steps)
