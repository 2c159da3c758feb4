"""The state of a batch: what is planned, held back, failed."""

from quotad.decision import ConsumeRequest
from quotad.engine.rounds import Planned, Round
from quotad.store import KeySpace
from quotad.store.charges import CONSUME

KEYS = KeySpace("q", 4)


def planned(*customers: tuple[str, int]) -> Round:
    """A round of requests of these customers, each planned on the view of an epoch."""
    made = Round([ConsumeRequest(name, "calls") for name, _ in customers])
    made.pending = []
    for i, (name, epoch) in enumerate(customers):
        made.add(i, Planned(KEYS.customer(name), epoch, 1, CONSUME))
    return made


def test_what_was_planned_on_one_view_of_each_customer_is_settled_together() -> None:
    made = planned(("a", 1), ("b", 7), ("a", 1))

    made.hold_back()

    assert ([0, 1, 2], []) == (made.places, made.pending)


def test_behind_another_view_of_its_customer_a_request_waits_for_the_next_round() -> None:
    made = planned(("a", 1), ("b", 7), ("a", 2), ("b", 7), ("a", 1))

    made.hold_back()

    assert ([0, 1, 3], [2, 4]) == (made.places, made.pending)
    assert [1, 7, 7] == [one.epoch for one in made.planned]
