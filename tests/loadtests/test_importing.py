"""The measurement of imports, with a handful of customers."""

from loadtests.bench.importing import measure


def test_every_customer_goes_in_once_and_comes_out_again() -> None:
    steps = measure(60)

    assert ["import, all new", "import again, all unchanged", "export"] == [s.what for s in steps]
    assert all(step.command_s > 0 for step in steps)
