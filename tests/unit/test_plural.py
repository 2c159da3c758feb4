"""Numbers of things in words."""

from quotad.plural import plural


def test_one_of_a_thing_has_no_s() -> None:
    assert ["0 decisions", "1 decision", "2 decisions", "1,000 more lines"] == [
        plural(0, "decision"),
        plural(1, "decision"),
        plural(2, "decision"),
        plural(1000, "more line"),
    ]
