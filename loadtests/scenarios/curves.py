"""How many users there are at which time of a run. Pure; `shapes` hands them to locust."""

from collections.abc import Callable

Curve = Callable[[float], float]
"""From the part of the run that is over (0 to 1) to the part of all users."""

STEPS = 5


def step(passed: float) -> float:
    """A fifth of the users more with every fifth of the time: where does it bend?"""
    return min(int(passed * STEPS) + 1, STEPS) / STEPS


def spike(passed: float) -> float:
    """A tenth of the users, all of them twice, and a tenth again: does it recover?"""
    sixth = min(int(passed * 6), 5)
    return 1.0 if sixth in (1, 4) else 0.1


def soak(passed: float) -> float:
    """All users for nearly all of the time, after a slow start: does anything grow?"""
    return min(1.0, (int(passed * 50) + 1) / 5)


CURVES: dict[str, tuple[Curve, int]] = {
    "step": (step, 300),
    "spike": (spike, 180),
    "soak": (soak, 1800),
}
"""By name, with the seconds that a run takes unless told otherwise."""

USERS = 50
"""How many users there are at the most unless told otherwise."""


def spawn_rate(users: int) -> float:
    """How many users come per second: all of them in five seconds."""
    return min(max(1.0, users / 5), 100.0)


def users_at(curve: Curve, elapsed_s: float, run_s: float, users: int) -> int | None:
    """How many users there should be; None: the run is over."""
    if elapsed_s >= run_s:
        return None
    return max(1, round(curve(elapsed_s / run_s) * users))
