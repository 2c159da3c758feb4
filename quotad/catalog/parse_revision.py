"""Revisions of a plan in a published document: `revision`, and `earlier` plans by revision."""

import re

from quotad.catalog.flatten import ROLLOUTS_MAX, marks_of
from quotad.catalog.known import Known
from quotad.catalog.parse_entitlement import CONDITIONS
from quotad.catalog.parse_plan import MONTHLY, parse_usage_on_change
from quotad.catalog.parse_price import parse_prices
from quotad.catalog.problems import Place, check_keys, described, mapping_of
from quotad.catalog.windows import parse_billing
from quotad.model import Entitlement, Feature, Plan

REVISION_MAX = 10**9

_KEYS = ("entitlements", "billing", "usage_on_change", "prices")
_NUMBER = re.compile("[1-9][0-9]{0,8}")


class RevisionReader:
    """Reads the revisions of every plan of one document."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def revisions(
        self, place: Place, plan_id: str, raw: dict[str, object]
    ) -> tuple[int, dict[int, Plan]]:
        """Return a plan's revision and what it was earlier, by revision; problems are noted.

        Args:
            place: of the plan.
            plan_id: its name.
            raw: what stands there.
        """
        revision = raw.get("revision", 1)
        if isinstance(revision, bool) or not isinstance(revision, int) or revision < 1:
            place.key("revision").refuse(f"must be a number from 1, not {described(revision)}")
            revision = 1
        elif revision > REVISION_MAX:
            place.key("revision").refuse(f"is larger than {REVISION_MAX:,}")
        earlier: dict[int, Plan] = {}
        section = place.key("earlier")
        for number, value in (mapping_of(section, raw.get("earlier", {}), "{}") or {}).items():
            spot = section.key(number)
            if _NUMBER.fullmatch(number) is None or int(number) >= revision:
                spot.refuse(f"must be a revision before {revision}")
                continue
            plan = self._earlier(spot, plan_id, int(number), value)
            if plan is not None:
                earlier[int(number)] = plan
        return revision, dict(sorted(earlier.items()))

    def _earlier(self, place: Place, plan_id: str, revision: int, value: object) -> Plan | None:
        raw = mapping_of(place, value, "{entitlements: {}}")
        if raw is None:
            return None
        check_keys(place, raw, _KEYS)
        written = self._known.entries(place, raw, "{}", self._entitlement)
        entitlements = {name: written[name] for name in self._known.features if name in written}
        billing = parse_billing(place.key("billing"), raw["billing"]) if "billing" in raw else None
        return Plan(
            plan_id,
            entitlements,
            revision,
            billing=billing or MONTHLY,
            resets_usage=parse_usage_on_change(place, raw),
            prices=parse_prices(self._known, place, raw),
            **marks_of(entitlements),
        )

    def _entitlement(self, place: Place, feature: Feature, value: object) -> Entitlement | None:
        return self._below(place, feature, value, 0)

    def _below(
        self, place: Place, feature: Feature, value: object, rollouts: int
    ) -> Entitlement | None:
        """Return an entitlement that stands below a number of rollouts."""
        otherwise: Entitlement | None = None
        if isinstance(value, dict) and "otherwise" in value:
            spot = place.key("otherwise")
            conditional = any(key in value for key in CONDITIONS)
            if not conditional or rollouts + 1 >= ROLLOUTS_MAX:
                spot.refuse(f"stands below 1 to {ROLLOUTS_MAX - 1} rollouts")
                return None
            otherwise = self._below(spot, feature, value["otherwise"], rollouts + 1)
            value = {key: item for key, item in value.items() if key != "otherwise"}
        entry = self._known.entry(place, feature, value)
        if entry is None:
            return None
        if not entry.granted or entry.limits is None:
            place.refuse("must be written out: nothing is inherited here")
            return None
        return Entitlement(
            feature,
            entry.value,
            entry.limits,
            entry.values,
            rollout=entry.rollout,
            otherwise=otherwise,
            span=entry.span,
            overage_price=entry.overage_price,
        )
