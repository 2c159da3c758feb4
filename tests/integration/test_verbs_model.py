"""All verbs in turns, over two servers and a store that loses calls, against a plain model.

Ten thousand steps in every run, always the same; `make explore` takes as many new ones ten times.
A failure is shown as the shortest program of calls that leads to it.
"""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.verbs.machine import Verbs

STEPS = 10_000
AT_ONCE = 100
"""Most steps on one store, before the next starts with an empty one."""

ROUNDS = 150
"""Stores; some rounds are shorter, so that they come to the steps."""


def test_every_verb_does_once_what_it_is_to_do(store_url: str) -> None:
    class Machine(Verbs):
        url = store_url

    rounds = ROUNDS * (1 if settings().derandomize else 10)
    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=rounds, stateful_step_count=AT_ONCE),
    )

    assert STEPS <= Machine.steps
