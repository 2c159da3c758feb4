"""Realistic traffic for locust; see docs/loadtesting.md.

python -m locust -f loadtests/locustfile.py --host 127.0.0.1:50051
"""

import grpc.experimental.gevent
from locust import events

# Before anything of grpc is made: a blocking call would stop all users of the process. locust has
# patched the standard library by now, which has to be first.
grpc.experimental.gevent.init_gevent()

from loadtests.scenarios.lifecycle import Lifecycle, add_options  # noqa: E402
from loadtests.scenarios.plan_change import PlanChange  # noqa: E402
from loadtests.scenarios.users import HotGateway, LlmTokens, ManyTenants  # noqa: E402

__all__ = ["HotGateway", "LlmTokens", "ManyTenants", "PlanChange"]


def on_init(environment: object, **_: object) -> None:
    """Everything that needs options and a runner."""
    Lifecycle(environment)


events.init_command_line_parser.add_listener(add_options)  # type: ignore[no-untyped-call]
events.init.add_listener(on_init)  # type: ignore[no-untyped-call]
