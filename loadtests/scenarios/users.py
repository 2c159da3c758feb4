"""The scenarios: who uses quotad, and how."""

import itertools
import random
from typing import Any

import gevent
from locust import between, constant_throughput, task

from loadtests.scenarios.calls import CallFailed, QuotaUser, unanswered
from loadtests.scenarios.decisions import consumption, wrong, wrong_batch, wrong_repeat
from loadtests.scenarios.run import RUN
from quotad.v1 import quota_pb2 as pb

HOT = {"hot-0": "gateway", "hot-1": "gateway-capped"}
"""Customers of the gateway, with their plans."""

TEAMS = 20
"""So many of the most popular tenants have the larger plan."""

LLM_CUSTOMERS = 8

PAUSE_S = 0.05
"""Half the pause before the first retry; doubled for each."""


def provisioned() -> dict[str, str]:
    """Customers that must be on a plan before users start; the others get the default plan."""
    tenants = {f"tenant-{number}": "team" for number in range(TEAMS)}
    llm = {f"llm-{number}": "llm" for number in range(LLM_CUSTOMERS)}
    return {RUN.customer(name): plan for name, plan in (HOT | tenants | llm).items()}


class HotGateway(QuotaUser):
    """An API gateway in front of very few customers: one small call per request, all the time."""

    weight = 2
    wait_time = constant_throughput(100)
    scenario = "hot gateway"

    @task
    def pass_a_request(self) -> None:
        """Count one request of one of the hot customers."""
        name = random.choices(list(HOT), [3, 1])[0]
        self.consume(RUN.customer(name), "api-calls")


class ManyTenants(QuotaUser):
    """An application with many customers, some of them popular; single calls and batches."""

    weight = 4
    wait_time = constant_throughput(10)
    scenario = "many tenants"

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        count: int = environment.parsed_options.customers
        # Zipf: the n-th most popular customer comes with a frequency of 1/n.
        self._weights = list(itertools.accumulate(1 / n for n in range(1, count + 1)))
        self._numbers = range(count)

    def _customer(self) -> str:
        [number] = random.choices(self._numbers, cum_weights=self._weights)
        return RUN.customer(f"tenant-{number}")

    @task(12)
    def use(self) -> None:
        """Use one feature once."""
        feature_id = random.choice(["api-calls", "api-calls", "exports", "sso", "support"])
        self.consume(self._customer(), feature_id)

    @task(2)
    def change_seats(self) -> None:
        """Take a seat or give one back."""
        self.consume(self._customer(), "seats", random.choice([1, 1, -1]))

    @task(3)
    def use_in_a_batch(self) -> None:
        """Use features of several customers in one call."""
        requests = [
            consumption(self._customer(), random.choice(["api-calls", "exports"]))
            for _ in range(random.choice([5, 10, 50]))
        ]
        batch = pb.BatchCheckAndConsumeRequest(requests=requests)
        try:
            answer = self.call(
                self.connection.quota.BatchCheckAndConsume,
                "BatchCheckAndConsume",
                batch,
                lambda answer: wrong_batch(requests, answer),
            )
        except (CallFailed, gevent.GreenletExit) as failed:
            if not isinstance(failed, CallFailed) or failed.unknown:
                for request in requests:
                    unanswered(request)
            if isinstance(failed, CallFailed):
                return
            raise
        for request, result in zip(requests, answer.results, strict=True):
            if result.HasField("response"):
                self.decided(request, result.response)
            else:
                unanswered(request)

    @task(1)
    def look(self) -> None:
        """Show a customer what it has left."""
        request = pb.GetEntitlementsRequest(customer_id=self._customer())
        self.ask(self.connection.quota.GetEntitlements, "GetEntitlements", request)


class LlmTokens(QuotaUser):
    """A model gateway: large quantities, each under a key, with retries and duplicates."""

    weight = 2
    wait_time = between(0.05, 0.3)
    scenario = "LLM tokens"

    def _request(self) -> Any:
        customer_id = RUN.customer(f"llm-{random.randrange(LLM_CUSTOMERS)}")
        tokens = min(200_000, int(random.lognormvariate(8, 1.2)) + 1)
        return consumption(customer_id, "ai-tokens", tokens, f"{random.getrandbits(96):024x}")

    def _answer(self, request: Any) -> Any:
        """The answer to a request, sent again under its key when nobody answered; or None."""
        for attempt in range(self.retries + 1):
            gevent.sleep(PAUSE_S * 2**attempt if attempt else 0)
            try:
                return self.call(
                    self.connection.quota.CheckAndConsume,
                    "CheckAndConsume",
                    request,
                    lambda answer: wrong(request, answer),
                )
            except CallFailed as failed:
                if not failed.unknown:
                    break
        return None

    @task(6)
    def count_tokens(self) -> None:
        """Count the tokens of one completion; now and then the caller asks again later."""
        self._consume_alike(1, again=random.random() < 0.2)

    @task(1)
    def count_tokens_twice_at_once(self) -> None:
        """Two instances send the same event at the same time."""
        self._consume_alike(2, again=False)

    def _consume_alike(self, times: int, *, again: bool) -> None:
        request = self._request()
        try:
            waiting = [gevent.spawn(self._answer, request) for _ in range(times)]
            gevent.joinall(waiting)
            answers = [each.value for each in waiting]
            if again:
                answers.append(self._answer(request))
        except gevent.GreenletExit:
            unanswered(request)
            raise
        heard = [answer for answer in answers if answer is not None]
        if not heard:
            unanswered(request)
        for index, answer in enumerate(heard):
            self.decided(request, answer, counted=index == 0)
        if heard and len(heard) == len(answers):
            problem = wrong_repeat(request, heard)
            if problem is not None:
                RUN.ledger.violated(f"{self.scenario}: {problem}")
