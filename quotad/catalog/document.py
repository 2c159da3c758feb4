"""Definitions -> the canonical document: JSON in the format of catalog files, one spelling each.

Defaults are left out, short forms written out, plans, groups, add-ons and entitlements sorted by
id. Features, values, limits and a plan's groups keep their order, which has a meaning.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from quotad.catalog.definitions import (
    Definitions,
    PlanDefinition,
)
from quotad.catalog.flatten import extended_names
from quotad.catalog.merge import GONE_KEY
from quotad.catalog.numbers import unscaled
from quotad.catalog.parse_experiment import write_experiment
from quotad.catalog.parse_fallback import FALLBACK_KEY, write_policy
from quotad.catalog.parse_feature import write_noting
from quotad.catalog.parse_meter import write_meter
from quotad.catalog.parse_plan import MONTHLY
from quotad.catalog.write_entry import write_addon_entry, write_entitlement, write_entry
from quotad.model import AddOn, Entry, Feature, MeterKind, Plan
from quotad.prices import Price

FORMAT_VERSION = 1
"""Of the catalog format, not of the catalog."""

_Features = Mapping[str, Feature]


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def metadata(self) -> dict[str, str]: ...


def write_document(definitions: Definitions) -> bytes:
    """Return the canonical JSON of a catalog."""
    return msgspec.json.encode(plain(definitions))


def plain(definitions: Definitions) -> dict[str, Any]:
    """Return a catalog as plain values, in canonical order."""
    written: dict[str, Any] = {"version": FORMAT_VERSION}
    if definitions.default_plan is not None:
        written["default_plan"] = definitions.default_plan
    if definitions.product:
        written["product"] = definitions.product
    if definitions.on_store_failure is not None:
        written[FALLBACK_KEY] = write_policy(definitions.on_store_failure)
    features = definitions.features
    written["features"] = {
        feature_id: _feature(feature, features) for feature_id, feature in features.items()
    }
    plans, groups = extended_names(definitions)
    if definitions.groups:
        written["groups"] = {
            name: _texts(group)
            | {"entitlements": _entries(group.entries, features, name in groups)}
            for name, group in sorted(definitions.groups.items())
        }
    written["plans"] = {
        plan_id: _plan(plan, features, plan_id in plans)
        for plan_id, plan in sorted(definitions.plans.items())
    }
    if definitions.addons:
        written["addons"] = {
            addon_id: _addon(addon, features)
            for addon_id, addon in sorted(definitions.addons.items())
        }
    if definitions.meters:
        written["meters"] = {
            name: write_meter(meter) for name, meter in sorted(definitions.meters.items())
        }
    if definitions.experiments:
        written["experiments"] = {
            name: write_experiment(each) for name, each in sorted(definitions.experiments.items())
        }
    if definitions.gone:
        written[GONE_KEY] = dict(definitions.gone)
    return written


def _feature(feature: Feature, features: _Features) -> dict[str, Any]:
    written: dict[str, Any] = {"type": feature.type.value}
    if feature.kind is not MeterKind.COUNTER:
        written["kind"] = feature.kind.value
    if feature.unit:
        written["unit"] = feature.unit
    if feature.values:
        # A tuple, so that a diff shows the values as one.
        written["values"] = feature.values
    if feature.decimals:
        written["decimals"] = feature.decimals
    if feature.usage_history is not None:
        written["usage_history"] = feature.usage_history.per
    if feature.credit is not None:
        pool = features[feature.credit.pool_id]
        cost = unscaled(feature.credit.cost, pool.decimals)
        written["credit"] = {"pool": pool.feature_id, "cost": cost}
    if feature.on_store_failure is not None:
        written[FALLBACK_KEY] = write_policy(feature.on_store_failure)
    if feature.ledger is not None:
        written["ledger"] = write_noting(feature.ledger)
    if feature.stripe_meter:
        written["stripe_meter"] = feature.stripe_meter
    if feature.thresholds is not None:
        written["thresholds"] = feature.thresholds
    return _texts(feature) | written


def _plan(plan: PlanDefinition, features: _Features, extended: bool) -> dict[str, Any]:
    written: dict[str, Any] = _texts(plan)
    if plan.extends is not None:
        written["extends"] = plan.extends
    if plan.groups:
        written["groups"] = plan.groups
    if plan.archived:
        written["archived"] = True
    if plan.apply_to_new:
        written["apply_to"] = "new"
    if plan.billing is not None:
        written["billing"] = plan.billing.per
    if plan.resets_usage:
        written["usage_on_change"] = "reset"
    if plan.revision != 1:
        written["revision"] = plan.revision
    if plan.prices:
        written["prices"] = list(map(_price, plan.prices))
    written["entitlements"] = _entries(plan.entries, features, extended)
    if plan.earlier:
        written["earlier"] = {
            str(revision): _earlier(kept) for revision, kept in sorted(plan.earlier.items())
        }
    return written


def _earlier(plan: Plan) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if plan.billing != MONTHLY:
        written["billing"] = plan.billing.per
    if plan.resets_usage:
        written["usage_on_change"] = "reset"
    if plan.prices:
        written["prices"] = list(map(_price, plan.prices))
    written["entitlements"] = {
        feature_id: write_entitlement(right)
        for feature_id, right in sorted(plan.entitlements.items())
    }
    return written


def _addon(addon: AddOn, features: _Features) -> dict[str, Any]:
    written: dict[str, Any] = _texts(addon)
    if addon.max_quantity is not None:
        written["max_quantity"] = addon.max_quantity
    if addon.archived:
        written["archived"] = True
    if addon.plans is not None:
        written["plans"] = addon.plans
    if addon.prices:
        written["prices"] = list(map(_price, addon.prices))
    written["entitlements"] = {
        feature_id: write_addon_entry(entry, features[feature_id])
        for feature_id, entry in sorted(addon.entries.items())
    }
    return written


def _price(price: Price) -> dict[str, str]:
    written = {"amount": price.amount, "currency": price.currency, "billing": price.billing}
    if price.feature_id:
        written["feature"] = price.feature_id
    if price.stripe_price:
        written["stripe_price"] = price.stripe_price
    return written


def _entries(entries: Mapping[str, Entry], features: _Features, extended: bool) -> dict[str, Any]:
    return {
        feature_id: write_entry(entry, features[feature_id], extended)
        for feature_id, entry in sorted(entries.items())
    }


def _texts(named: _Named) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": named.name,
        "description": named.description,
        "metadata": dict(sorted(named.metadata.items())),
    }
    return {key: text for key, text in written.items() if text}
