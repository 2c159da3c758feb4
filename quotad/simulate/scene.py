"""What a log is run on: the catalogs, and the plans of customers."""

from collections.abc import Collection

import msgspec

from quotad.catalog import Catalog
from quotad.errors import InvalidRequest
from quotad.nearest import did_you_mean
from quotad.records import CustomerRecord


class TriedCatalog(msgspec.Struct, frozen=True):
    """A catalog to be tried."""

    catalog: Catalog
    path: str
    """Where it was read, for the report."""
    listed: dict[str, CustomerRecord] = {}
    """Customers whose subscriptions are known."""


class Scene(msgspec.Struct, frozen=True):
    """What the log is run on."""

    new: TriedCatalog
    old: TriedCatalog | None = None
    """To compare with."""
    plan_id: str | None = None
    """The plan of all others; None: as in their lines, or the default one."""

    def check(self, feature_id: str | None) -> None:
        """Refuse what can only be a mistake, before the log is read.

        Args:
            feature_id: of every line; None: the lines decide.

        Raises:
            InvalidRequest: a feature or plan is named that the catalogs do not have, or one of
                different decimals in each of them.
        """
        features, plans = self.new.catalog.definitions.features, self._plans()
        if feature_id is not None and feature_id not in features:
            raise InvalidRequest(_unknown("--feature", "feature", feature_id, features))
        if self.plan_id is not None and self.plan_id not in plans:
            raise InvalidRequest(_unknown("--plan", "plan", self.plan_id, plans))

        if self.old is not None:
            before = self.old.catalog.definitions.features
            for name in features.keys() & before.keys():
                _check_decimals(name, *(of[name].decimals for of in (features, before)))

    @property
    def decimals(self) -> dict[str, int]:
        """Of features whose quantities have decimals."""
        return {
            name: feature.decimals
            for each in self.candidates
            for name, feature in each.catalog.definitions.features.items()
            if feature.decimals
        }

    @property
    def candidates(self) -> list[TriedCatalog]:
        """The new catalog, and the old one if there is one."""
        return [self.new] if self.old is None else [self.new, self.old]

    def _plans(self) -> Collection[str]:
        """Those of both catalogs: a plan that one of them lacks is what is to be tried."""
        return {plan for each in self.candidates for plan in each.catalog.definitions.plans}


def _check_decimals(name: str, new: int, old: int) -> None:
    """A quantity of the log can only be scaled in one way; publishing refuses this as well."""
    if new != old:
        raise InvalidRequest(
            f"feature {name!r} has {new} decimals in --catalog and {old} in --against;"
            " what is counted of it cannot be compared"
        )


def _unknown(where: str, what: str, name: str, known: Collection[str]) -> str:
    hint = did_you_mean(name, known, f"these exist: {', '.join(sorted(known))}")
    return f"{where}: the catalog has no {what} {name!r}; {hint}"
