"""What a catalog defines, for what refers to it by name."""

from collections.abc import Callable
from typing import TypeVar

from quotad.catalog.definitions import FeatureDefinition
from quotad.catalog.merge import Merged
from quotad.catalog.problems import Place, mapping_of
from quotad.model import Feature

T = TypeVar("T")


class Known:
    """What a catalog defines, for what refers to it."""

    def __init__(self, merged: Merged, features: dict[str, FeatureDefinition | None]) -> None:
        self.merged = merged
        self.features = features
        """Those that are defined badly as None, so that their name is known."""

    def entries(
        self,
        place: Place,
        raw: dict[str, object],
        example: str,
        parse_one: Callable[[Place, Feature, object], T | None],
    ) -> dict[str, T]:
        """Return what stands below `entitlements`, by feature id.

        Args:
            place: of the plan, group or add-on.
            raw: it.
            example: of the mapping below `entitlements`.
            parse_one: reads what is said of one feature.
        """
        if "entitlements" not in raw:
            return {}
        section = place.key("entitlements")
        entries: dict[str, T] = {}
        for feature_id, value in (mapping_of(section, raw["entitlements"], example) or {}).items():
            spot = section.key(feature_id)
            if feature_id not in self.features:
                if self.merged.complete:
                    spot.refuse(f"unknown feature{spot.suggestion(feature_id, self.features)}")
                continue
            definition = self.features[feature_id]
            parsed = None if definition is None else parse_one(spot, definition.feature, value)
            if parsed is not None:
                entries[feature_id] = parsed
        return entries
