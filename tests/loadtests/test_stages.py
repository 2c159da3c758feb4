"""The measurement of where a decision's time in Python goes, with a handful of decisions."""

import pytest

from loadtests.bench.stages import STEPS, Watch, measure, store
from quotad.service.quota import QuotaService


@pytest.mark.parametrize("idempotent", [False, True])
def test_every_step_of_a_decision_is_reported(idempotent: bool) -> None:
    answer = QuotaService.answer
    with store() as url:
        found = measure(url, 60, 20, idempotent)

    assert list(STEPS) == list(found)
    assert all(spent > 0 for spent in found.values())
    assert answer is QuotaService.answer, "nothing stays wrapped"


def test_a_step_is_charged_without_those_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 3.0, 7.0, 8.0])
    monkeypatch.setattr("time.thread_time", lambda: next(times))
    watch = Watch()
    inner = watch.wrap("fold", lambda: None)

    watch.wrap("plan", inner)()

    assert {"plan": 3.0, "fold": 4.0} == {k: v for k, v in watch.spent.items() if v}
