"""The catalog on Stigg's REST paths: plans and features."""

from typing import Any

from quotad.catalog import Snapshot
from quotad.errors import NotFound
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.paths import Params, StiggPage
from quotad.http.stigg.plans import PRODUCT, addons_of, base_of, plan_shape
from quotad.http.stigg.words import Shape, feature_shape, feature_type, meter_type
from quotad.model import Feature, Plan


def list_plans(api: StiggApi, _path: Params, _query: Params, _body: Any) -> StiggPage:
    """The plans of the catalog."""
    return StiggPage([_plan(plan, api.newest()) for plan in api.newest().plans.values()])


def get_plan(api: StiggApi, path: Params, _query: Params, _body: Any) -> object:
    """A plan."""
    snapshot = api.newest()
    plan = snapshot.plans.get(path["plan"])
    if plan is None:
        raise NotFound(f"plan_id: there is no plan {path['plan']!r}")
    return _plan(plan, snapshot)


def list_features(api: StiggApi, _path: Params, _query: Params, _body: Any) -> StiggPage:
    """The features of the catalog."""
    return StiggPage([_feature(feature) for feature in api.newest().features.values()])


def get_feature(api: StiggApi, path: Params, _query: Params, _body: Any) -> object:
    """A feature."""
    feature = api.newest().features.get(path["feature"])
    if feature is None:
        raise NotFound(f"feature_id: there is no feature {path['feature']!r}")
    return _feature(feature)


def _plan(plan: Plan, snapshot: Snapshot) -> Shape:
    shape, base = plan_shape(snapshot, plan.plan_id, plan.revision), base_of(plan, snapshot)
    return {
        "id": plan.plan_id,
        "displayName": shape["displayName"],
        "description": shape["description"],
        "parentPlanId": None if base is None else base.plan_id,
        "compatibleAddonIds": [each.addon_id for each in addons_of(plan.plan_id, snapshot)],
        "productId": PRODUCT,
        "status": "ARCHIVED" if plan.archived else "PUBLISHED",
        "versionNumber": plan.revision,
        "isLatest": True,
        "pricingType": shape["pricingType"],
        "metadata": plan.metadata,
        "entitlements": [
            {"id": feature_id, "type": "FEATURE"}
            for feature_id in plan.entitlements
            if feature_id in snapshot.features
        ],
    }


def _feature(feature: Feature) -> Shape:
    word, shape = meter_type(feature), feature_shape(feature)
    return {
        "id": feature.feature_id,
        "displayName": shape["displayName"],
        "description": shape["description"],
        "featureUnits": shape["featureUnits"],
        "featureUnitsPlural": shape["featureUnitsPlural"],
        "metadata": feature.metadata,
        "featureType": feature_type(feature),
        "meterType": word if word == "None" else word.upper(),
        "featureStatus": "ACTIVE",
    }
