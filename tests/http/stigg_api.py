"""What Stigg's calls are answered from, on a store and a clock of a test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from quotad.engine.insights import Notes
from quotad.engine.seen import Seen
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.graphql import GraphqlRequest, StiggGraphql
from quotad.http.stigg.roots import MUTATIONS, QUERIES
from quotad.operations.customers import CustomerOperations
from quotad.operations.decisions import DecisionOperations
from quotad.operations.finding import FindingOperations
from quotad.operations.usage import UsageOperations
from quotad.store import CustomerIndex
from quotad.store.seen import SeenStore
from quotad.store.usage import UsageStore
from quotad.tokens.access import EVERYTHING, Access
from quotad.tokens.roles import Right
from tests.deciding import Bench, bench
from tests.given import NoLists

PLANS = """
version: 1
default_plan: basic
features:
  rides: {type: metered, unit: ride, usage_history: 13 months}
  desks: {type: metered, kind: gauge, unit: desk}
  paper: {type: metered, name: Sheets of paper}
  audit: {type: boolean}
  rows: {type: config}
  tone: {type: config, values: [plain, rich]}
plans:
  basic:
    entitlements:
      rides: {limit: 5, per: month}
      desks: {limit: {per_unit: 1}}
      tone: plain
  business:
    extends: basic
    entitlements:
      rides:
        limits:
          - {limit: 100, per: hour}
          - {limit: 1000, per: month, anchor: subscription}
      paper: {limit: 10, per: week, soft: true}
      audit: true
      rows: 5000
      tone: [plain, rich]
meters:
  ride.ended: {feature: rides, quantity: legs, where: {kind: [taxi, bus]}}
addons:
  extra-rides:
    entitlements:
      rides: {add: 50, per: month}
"""


class Stigg:
    """Sends documents as clients do."""

    def __init__(self, made: Bench) -> None:
        self.bench = made
        decisions = DecisionOperations(made.engine, Notes(NoLists()))

        @contextmanager
        def lend() -> Iterator[DecisionOperations]:
            yield decisions

        customers = CustomerOperations(made.customers, made.snapshots, made.views, made.clock)
        usage = UsageOperations(
            made.customers,
            UsageStore(made.store, made.keys),
            made.snapshots,
            made.clock,
            made.shared.demand,
        )
        finding = FindingOperations(
            made.customers,
            CustomerIndex(made.store, made.keys, made.customers),
            SeenStore(made.store, made.keys, made.customers),
            Seen(SeenStore(made.store, made.keys, made.customers)),
            made.clock,
        )
        self.api = StiggApi(customers, finding, usage, lend, made.snapshots.newest, made.clock)
        self._graphql = StiggGraphql(self.api, QUERIES, MUTATIONS)

    def send(
        self, query: str, variables: dict[str, Any] | None = None, access: Access = EVERYTHING
    ) -> Any:
        """The whole answer to a document."""
        return self._graphql.answer(GraphqlRequest(query, variables), access=access)

    def rights(self, query: str) -> set[Right]:
        """What a document needs."""
        return self._graphql.rights(GraphqlRequest(query))

    def __call__(self, document: str, /, **variables: Any) -> Any:
        """The answer to the only root field of a document that has no errors."""
        answer = self.send(document, variables)
        assert "errors" not in answer, answer
        (only,) = answer["data"].values()
        return only

    def refused(self, document: str, /, **variables: Any) -> tuple[str, str]:
        """Code and message of a document's error."""
        answer = self.send(document, variables)
        assert answer["data"] is None, answer
        error = answer["errors"][0]
        return error["extensions"]["code"], error["message"]


@contextmanager
def stigg(url: str, prefix: str) -> Iterator[Stigg]:
    """Have one, with `PLANS` published."""
    with bench(url, prefix) as made:
        made.publish(PLANS)
        yield Stigg(made)
