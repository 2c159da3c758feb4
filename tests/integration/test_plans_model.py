"""Thousands of random histories of customers on random catalogs, on a real Valkey: every answer of
the engine is the one that a model in plain Python gives (`tests/integration/plans`).

To play what failed again, `PLANS_MODEL=<seed>` or `PLANS_MODEL=<seed>:<customer>`; to play more of
it, `PLANS_MODEL_WORLDS=1000`.
"""

import os
from collections import Counter

import pytest

from tests.deciding import bench
from tests.integration.plans.play import Difference, Script, World
from tests.integration.plans.recipe import recipe

WORLDS = int(os.environ.get("PLANS_MODEL_WORLDS", "40"))
"""Each is 50 customers, who do something at 16 moments, on 4 catalogs one after the other."""

AT_ONCE = 8
"""Worlds of one test."""

ONE, _, CUSTOMER = os.environ.get("PLANS_MODEL", "").partition(":")

SEEDS = [[int(ONE)]] if ONE else [list(range(n, n + AT_ONCE)) for n in range(0, WORLDS, AT_ONCE)]

REASONS = {
    *("CUSTOMER_NOT_FOUND", "CUSTOMER_ARCHIVED", "NO_ACTIVE_SUBSCRIPTION", "FEATURE_NOT_FOUND"),
    *("NOT_ENTITLED", "REVOKED", "VALUE_NOT_ALLOWED", "LIMIT_EXCEEDED", "INSUFFICIENT_CREDITS"),
    *("OVER_SOFT_LIMIT", "UNLIMITED", "FEATURE_ENABLED", "WITHIN_LIMIT"),
    *("InvalidRequest", "IdempotencyMismatch"),
}
ASPECTS = {"replayed", "would deny", "by a pool", "overage", "several limits", "values", "variant"}
CHANGES = {
    f"{what}: {outcome}"
    for what in ("provision", "change", "override", "promote")
    for outcome in ("done", "InvalidRequest")
} | {f"{what}: {outcome}" for what in ("cancel", "take back") for outcome in ("done", "NotFound")}


def play(url: str, prefix: str, seed: int) -> Counter[str]:
    """Play one world; returns what has been seen in it."""
    script = Script(seed)
    if CUSTOMER:
        script.histories = {CUSTOMER: script.histories[CUSTOMER]}
    with bench(url, f"{prefix}-{seed}") as engine:
        world = World(engine, script)
        difference: Difference | None = None
        try:
            world.play()
        except Difference as found:
            difference = found
    if difference is not None:
        again = f"PLANS_MODEL={seed}:{difference.customer_id}"
        shortest = recipe(url, seed, difference.customer_id)
        pytest.fail(f"{difference}\n\nIn short ({again}):\n{shortest}", pytrace=False)
    return world.seen


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_random_histories_agree_with_the_model(
    store_url: str, prefix: str, seeds: list[int]
) -> None:
    seen: Counter[str] = Counter()
    for seed in seeds:
        seen += play(store_url, prefix, seed)

    if len(seeds) > 1:  # The run was worth something: it has seen everything there is.
        assert set() == (REASONS | ASPECTS | CHANGES) - set(seen)
