"""Plans that change under load; the first decision after a change must obey it."""

import random
import uuid
from typing import Any

from locust import between, task

from loadtests.scenarios import catalog
from loadtests.scenarios.calls import QuotaUser
from loadtests.scenarios.decisions import wrong_catalog, wrong_plan
from loadtests.scenarios.run import PUBLISHED_MAX, RUN
from quotad.v1 import admin_pb2

PLANS = ("small", "large")


class PlanChange(QuotaUser):
    """A product person at work: moves customers between plans and publishes limits.

    Each has customers of its own, so that nobody else changes what was just changed. Everybody
    publishes the same catalog, though: which one decided is told by its version.
    """

    weight = 1
    wait_time = between(0.1, 0.5)
    scenario = "plan change"

    def on_start(self) -> None:
        """Put the customers on their first plans."""
        me = uuid.uuid4().hex[:8]
        self._mover = RUN.customer(f"mover-{me}")
        self._reader = RUN.customer(f"published-{me}")
        self._plan = PLANS[0]
        self._provision(self._mover, self._plan)
        self._provision(self._reader, "changing")

    def _provision(self, customer_id: str, plan_id: str) -> Any:
        request = admin_pb2.ProvisionCustomerRequest(customer_id=customer_id, plan_id=plan_id)
        return self.ask(self.connection.admin.ProvisionCustomer, "ProvisionCustomer", request)

    @task(4)
    def use(self) -> None:
        """Use what is changed, between the changes."""
        self.consume(self._mover, "exports", random.randint(1, 3))
        self.consume(self._reader, "exports")

    @task(2)
    def move_to_the_other_plan(self) -> None:
        """Change the plan; the next decisions must be the new plan's."""
        [plan_id] = [each for each in PLANS if each != self._plan]
        if self._provision(self._mover, plan_id) is None:
            # Nobody knows whether the change is made, or still will be: take another customer.
            self.on_start()
            return
        self._plan = plan_id
        limit = catalog.limit(plan_id, "exports")

        def has_sso_or_not(answer: Any) -> str | None:
            found = f"sso is {answer.allowed} after a change to plan {plan_id}"
            return None if answer.allowed == (plan_id == "large") else found

        self.consume(
            self._mover, "exports", check=lambda answer: wrong_plan(answer, plan_id, limit)
        )
        self.consume(self._mover, "sso", check=has_sso_or_not)

    @task(1)
    def publish_another_limit(self) -> None:
        """Publish a catalog; the next decision must be the new catalog's or a later one's."""
        if not RUN.publishes:
            self.use()
            return
        limit = random.randint(1_000, 1_000_000)
        text = catalog.with_limit("changing", "exports", limit)
        request = admin_pb2.PublishCatalogRequest(
            files=[admin_pb2.CatalogFile(name="catalog.json", content=text)],
            published_by="load test",
        )
        published = self.ask(self.connection.admin.PublishCatalog, "PublishCatalog", request)
        if published is None:
            return
        version: int = published.version.version
        if RUN.published(version):
            print(f"{self.scenario}: {PUBLISHED_MAX:,} catalogs are enough; no more", flush=True)
        self.consume(
            self._reader, "exports", check=lambda answer: wrong_catalog(answer, version, limit)
        )
