"""The state of a batch: what is planned, held back, failed."""

from quotad.engine.meters import ALWAYS
from quotad.engine.rounds import Round
from quotad.errors import QuotadError
from quotad.model import ConsumeRequest
from quotad.store import Charge, KeySpace
from quotad.store.counters import CONSUME

KEYS = KeySpace("q", 4)


def planned(*customers: tuple[str, int]) -> Round:
    """A round of requests of these customers, each planned on the view of an epoch."""
    made = Round([ConsumeRequest(name, "calls") for name, _ in customers])
    made.pending = []
    for i, (name, epoch) in enumerate(customers):
        made.at.append(i)
        made.terms.append(ALWAYS.terms)
        made.given.append(None)
        made.charges.append(Charge(KEYS.customer(name), epoch, 1, CONSUME))
    return made


def test_what_was_planned_on_one_view_of_each_customer_is_settled_together() -> None:
    made = planned(("a", 1), ("b", 7), ("a", 1))

    made.hold_back()

    assert ([0, 1, 2], []) == (made.at, made.pending)


def test_behind_another_view_of_its_customer_a_request_waits_for_the_next_round() -> None:
    made = planned(("a", 1), ("b", 7), ("a", 2), ("b", 7), ("a", 1))

    made.hold_back()

    assert ([0, 1, 3], [2, 4]) == (made.at, made.pending)
    assert 3 == len(made.charges) == len(made.terms) == len(made.given)
    assert [1, 7, 7] == [charge.epoch for charge in made.charges]


def test_a_request_that_fails_while_it_is_planned_leaves_the_others_in_step() -> None:
    made = planned(("a", 1), ("b", 1))
    made.at.append(1)  # half written down

    made.failed(1)

    assert [0, 1] == made.at
    assert [False, True] == [isinstance(answer, QuotadError) for answer in made.answers]
