"""A customer that has everything, and what a GraphQL call and gRPC answer of it."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from graphql import GraphQLObjectType, GraphQLUnionType, build_schema, get_named_type

from quotad.http.stigg.roots import QUERIES
from quotad.v1 import admin_pb2, quota_pb2
from quotad.v1.admin_pb2_grpc import AdminServiceStub
from quotad.v1.quota_pb2_grpc import QuotaServiceStub
from tests.http.serving import HttpRunning, http_running

PLANS = """
version: 1
product: Hotel suite
features:
  rides: {type: metered, unit: ride, usage_history: 13 months, name: Taxi rides,
          description: Booked at the desk, metadata: {team: front}}
  desks: {type: metered, kind: gauge, unit: desk}
  paper: {type: metered, name: Sheets of paper}
  budget: {type: metered, decimals: 2}
  ai: {type: metered, credit: {pool: budget, cost: 0.25}}
  audit: {type: boolean}
  rows: {type: config}
  tone: {type: config, values: [plain, rich]}
plans:
  basic:
    name: Basic
    entitlements:
      rides: {limit: 5, per: month}
      desks: {limit: {per_unit: 2}}
      tone: plain
  business:
    extends: basic
    name: Business
    description: For chains
    metadata: {shown: "yes"}
    prices:
      - {amount: "29.00", currency: EUR, billing: month, stripe_price: price_1}
      - {amount: "4.50", currency: EUR, billing: year, feature: desks}
    entitlements:
      rides: {limit: 100, per: month, anchor: subscription}
      paper: {limit: 10, per: week, soft: true}
      budget: {limit: 12, per: month}
      ai: true
      audit: true
      rows: 5000
      tone: [plain, rich]
  business-b:
    extends: business
    entitlements: {rows: 9000}
addons:
  extra-rides:
    name: More rides
    description: For fairs
    metadata: {colour: red}
    max_quantity: 9
    plans: [business]
    prices: [{amount: "5", currency: EUR, billing: once, feature: rides}]
    entitlements: {rides: {add: 50}}
  all-night: {entitlements: {audit: true}}
meters:
  ride.ended: {feature: rides, quantity: legs}
experiments:
  pricing: {of: business, share: 100 %, to: business-b, new_customers: true}
"""


class Hotel:
    """A server with a customer that has everything, and what gRPC answers of it."""

    def __init__(self, made: HttpRunning) -> None:
        self.http = made
        self.admin: Any = AdminServiceStub(made.grpc.channel)  # type: ignore[no-untyped-call]
        self.quota: Any = QuotaServiceStub(made.grpc.channel)  # type: ignore[no-untyped-call]

    def call(self, name: str, /, **fields: Any) -> Any:
        """The answer of an RPC, as JSON has it."""
        message = getattr(admin_pb2, f"{name}Request", None) or getattr(quota_pb2, f"{name}Request")
        stub = self.admin if hasattr(self.admin, name) else self.quota
        answer = getattr(stub, name)(ParseDict(fields, message()), timeout=20)
        return MessageToDict(
            answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )

    def customer(self) -> Any:
        return self.call("GetCustomer", customer_id="hotel")

    def rights(self, resource_id: str = "") -> dict[str, Any]:
        listed = self.call("GetEntitlements", customer_id="hotel", resource_id=resource_id)
        return {each["feature_id"]: each for each in listed["entitlements"]}

    def graph(self, root: str, given: Mapping[str, Any]) -> Any:
        """The answer of a root field, with everything selected."""
        kind = "query" if root in QUERIES else "mutation"
        document = f"{kind} Q($given: I!) {{ {root}(input: $given) {selection(root)} }}"
        reply = self.http.post("/graphql", {"query": document, "variables": {"given": given}})
        assert "errors" not in reply.body, reply.body
        return reply.body["data"][root]


SCHEMA = build_schema(files("quotad.http.stigg").joinpath("schema.graphql").read_text("utf-8"))


def selection(root: str) -> str:
    """All that there is of a root field's answer."""
    for type_ in (SCHEMA.query_type, SCHEMA.mutation_type):
        if type_ is not None and root in type_.fields:
            return selected(get_named_type(type_.fields[root].type), ())
    raise AssertionError(root)


def selected(type_: Any, within: tuple[str, ...]) -> str:
    if isinstance(type_, GraphQLUnionType):
        parts = [f"... on {each.name} {selected(each, within)}" for each in type_.types]
        return "{ __typename " + " ".join(parts) + " }"
    if not isinstance(type_, GraphQLObjectType):
        return ""
    below = (*within, type_.name)
    parts = [
        f"{name} {selected(named, below)}"
        for name, named in ((n, get_named_type(f.type)) for n, f in type_.fields.items())
        if below.count(named.name) < (2 if named.name == "Plan" else 1)  # as it extends others
    ]
    return "{ " + " ".join(parts) + " }"


@contextmanager
def hotel_running(store_url: str) -> Iterator[Hotel]:
    """A server, and the customer with all of it."""
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(PLANS)
        one = Hotel(made)
        known = {
            "name": "Hotel",
            "email": "desk@hotel.example",
            "timezone": "Europe/Berlin",
            "metadata": {"rooms": "12"},
            "external_ids": {"stripe": "cus_1"},
        }
        one.call(
            "ProvisionCustomer",
            customer_id="hotel",
            plan_id="business",
            unit_quantity="50",
            addons={"extra-rides": 2},
            subscription_external_ids={"stripe": "sub_1"},
            **known,
        )
        one.call(
            "ProvisionCustomer",
            customer_id="hotel",
            plan_id="basic",
            resource_id="annex",
            trial={"end": "2090-01-01T00:00:00Z", "plan_id": "business"},
        )
        one.call(
            "ChangeSubscription",
            customer_id="hotel",
            unit_quantity="60",
            when="WHEN_PERIOD_END",
        )
        one.call(
            "GrantPromotion",
            customer_id="hotel",
            feature_id="budget",
            entitlement={"limit": 20, "per": "month"},
            end="2090-01-01T00:00:00Z",
        )
        one.call("SetOverride", customer_id="hotel", feature_id="audit", entitlement=False)
        for feature_id, quantity in (("rides", 7), ("desks", 3), ("paper", 12), ("ai", 10)):
            one.call(
                "CheckAndConsume",
                customer_id="hotel",
                feature_id=feature_id,
                quantity=str(quantity),
                mode="MODE_ADJUST_ONLY",
            )
        yield one
