"""From a world that fails to the shortest history of one customer that still does."""

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from quotad.errors import CatalogError
from tests.deciding import bench
from tests.integration.plans.draw_catalogs import FEATURES
from tests.integration.plans.draw_histories import Step
from tests.integration.plans.play import STEPS, Difference, Script, World

TRIES_MAX = 400


def failure(url: str, script: Script, customer_id: str, steps: list[Step]) -> Difference | None:
    """How one customer's history fails, alone in its world."""
    script.histories = {customer_id: steps}
    with bench(url, f"t-{uuid.uuid4().hex[:12]}") as engine:
        try:
            World(engine, script).play()
        except Difference as difference:
            return difference
        except CatalogError:
            return None  # too little is left of it
    return None


def shortest(steps: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """A history that still fails, and would not without any one of its parts."""
    tries = 0
    while True:
        for shorter in _shorter(steps):
            tries += 1
            if tries > TRIES_MAX:
                return steps
            if fails(shorter):
                steps = shorter
                break
        else:
            return steps


def _shorter(steps: list[Step]) -> Iterator[list[Step]]:
    for index in reversed(range(len(steps))):
        step = steps[index]
        smaller = [Step([])] if step != Step([]) else []
        smaller += [
            step._replace(change=None),
            step._replace(look=None),
            step._replace(requests=[]),
        ]
        for at in range(len(step.requests)):
            smaller.append(step._replace(requests=step.requests[:at] + step.requests[at + 1 :]))
        for each in smaller:
            if each != step:
                yield [*steps[:index], each, *steps[index + 1 :]]


def without(publishes: list[dict[str, Any]], feature_id: str) -> list[dict[str, Any]]:
    """The same catalogs without a feature, and without those that it pays for."""
    publishes = copy.deepcopy(publishes)
    for document in [publish["document"] for publish in publishes if "document" in publish]:
        gone = {
            name
            for name, feature in document["features"].items()
            if name == feature_id or feature.get("credit", {}).get("pool") == feature_id
        }
        layers = [document["features"]]
        for kind in ("plans", "groups", "addons"):
            layers += [layer["entitlements"] for layer in document[kind].values()]
        for layer in layers:
            for name in gone:
                layer.pop(name, None)
    return publishes


def recipe(url: str, seed: int, customer_id: str) -> str:
    """The shortest history that fails, in words."""
    script = Script(seed)
    steps = script.histories[customer_id]
    whole = failure(url, script, customer_id, steps)
    if whole is None:
        return f"{customer_id} does not fail alone: only with the others of its world"
    kind = whole.kind

    def fails(steps: list[Step]) -> bool:
        found = failure(url, script, customer_id, steps)
        return found is not None and found.kind == kind

    steps = shortest(steps, fails)
    for feature_id in FEATURES:
        kept = script.publishes
        script.publishes = without(kept, feature_id)
        if not fails(steps):
            script.publishes = kept
    lines = []
    for index, (now_ms, step) in enumerate(zip(script.times, steps, strict=True)):
        if index % STEPS == 0:
            lines.append(f"publish {json.dumps(script.publishes[index // STEPS])}")
        if step != Step([]):
            lines.append(f"step {index} at {now_ms}: {step}")
    return "\n".join([*lines, str(failure(url, script, customer_id, steps))])
