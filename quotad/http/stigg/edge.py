"""Stigg's edge reads: what clients keep a copy of."""

from typing import Any

from quotad.http.stigg import queries
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.paths import Params
from quotad.http.stigg.words import settled


def state(api: StiggApi, path: Params, query: Params, _body: Any) -> object:
    """An entitlements state."""
    reader = api.entitlements(path["customer"], query.get("resourceId"))
    return {"entitlementsState": queries.state_shape(reader)}


def entitlements(api: StiggApi, path: Params, query: Params, _body: Any) -> object:
    """The list of entitlements."""
    reader = api.entitlements(path["customer"], query.get("resourceId"))
    return {"entitlements": reader.every()}


def subscriptions(api: StiggApi, path: Params, query: Params, _body: Any) -> object:
    """The subscriptions in force."""
    given = {"customerId": path["customer"], "resourceId": query.get("resourceId")}
    return settled({"getActiveSubscriptions": queries.active_subscriptions(api, given)})


def configuration(api: StiggApi, _path: Params, _query: Params, _body: Any) -> object:
    """What clients ask for at their start."""
    return {"sdkConfiguration": queries.sdk_configuration(api, {})}
