"""Load shapes: how many users there are, over time. Chosen by `--shape`, or in the web UI.

They are not imported by name into the locustfile: locust would take the first one it finds there.
"""

from typing import Any

from locust import LoadTestShape

from loadtests.scenarios import curves


class QuotaShape(LoadTestShape):
    """A curve, stretched over `--run-time` and scaled to `--users`."""

    abstract = True
    use_common_options = True
    curve_name = ""

    def tick(self) -> tuple[int, float] | None:
        """How many users there should be now; None ends the run."""
        assert self.runner is not None
        options: Any = self.runner.environment.parsed_options
        curve, run_s = curves.CURVES[self.curve_name]
        users = options.num_users or curves.USERS
        elapsed_s: float = self.get_run_time()  # type: ignore[no-untyped-call]
        count = curves.users_at(curve, elapsed_s, options.run_time or run_s, users)
        rate = options.spawn_rate or curves.spawn_rate(users)
        return None if count is None else (count, rate)


class Step(QuotaShape):
    """A fifth of the users more with every fifth of the time."""

    curve_name = "step"


class Spike(QuotaShape):
    """A tenth of the users, with two spikes of all of them."""

    curve_name = "spike"


class Soak(QuotaShape):
    """All users for a long time."""

    curve_name = "soak"


SHAPES: dict[str, type[QuotaShape]] = {each.curve_name: each for each in (Step, Spike, Soak)}
