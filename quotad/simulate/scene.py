"""What a log is run on: the catalogs, and who is on which plan."""

import difflib
from collections.abc import Collection

import msgspec

from quotad.catalog import Catalog
from quotad.errors import InvalidRequest
from quotad.model import CustomerRecord


class Scene(msgspec.Struct, frozen=True):
    """What the log is run on."""

    catalog: Catalog
    path: str
    """Where it was read, for the report."""
    against: Catalog | None = None
    against_path: str = ""
    listed: dict[str, CustomerRecord] = {}
    """Customers whose subscriptions are known."""
    plan_id: str | None = None
    """The plan of all others; None: as their lines say, or the default one."""

    def check(self, feature_id: str | None) -> None:
        """Refuse what can only be a mistake, before the log is read.

        Args:
            feature_id: of every line; None: the lines decide.

        Raises:
            InvalidRequest: a feature or plan is named that the catalogs do not have.
        """
        features, plans = set(self._features()), set(self._plans())
        if feature_id is not None and feature_id not in features:
            raise InvalidRequest(_unknown("--feature", "feature", feature_id, features))
        if self.plan_id is not None and self.plan_id not in plans:
            raise InvalidRequest(_unknown("--plan", "plan", self.plan_id, plans))
        for record in self.listed.values():
            for subscription in record.subscriptions:
                if subscription.plan_id not in plans:
                    where = f"--customers: {record.customer_id!r}"
                    raise InvalidRequest(_unknown(where, "plan", subscription.plan_id, plans))

    def _features(self) -> Collection[str]:
        return self.catalog.definitions.features

    def _plans(self) -> Collection[str]:
        """Those of both catalogs: a plan that one of them lacks is what is to be tried."""
        old = self.against.definitions.plans if self.against is not None else ()
        return {*self.catalog.definitions.plans, *old}


def _unknown(where: str, what: str, name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"these exist: {', '.join(sorted(known))}"
    return f"{where}: the catalog has no {what} {name!r}; {hint}"
