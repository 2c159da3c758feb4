"""What plans, add-ons and features are called, where the catalog in force has a name."""

from quotad.catalog import Snapshot


class CatalogNames:
    """What plans, add-ons and features are called.

    Args:
        snapshot: of the catalog in force.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def plan(self, plan_id: str) -> str:
        """The name of a plan, or its id."""
        plan = self._snapshot.plans.get(plan_id)
        return (plan.name if plan else "") or plan_id

    def addon(self, addon_id: str) -> str:
        """The name of an add-on, or its id."""
        addon = self._snapshot.addons.get(addon_id)
        return (addon.name if addon else "") or addon_id

    def feature(self, feature_id: str) -> str:
        """The name of a feature, or its id."""
        feature = self._snapshot.features.get(feature_id)
        return (feature.name if feature else "") or feature_id
