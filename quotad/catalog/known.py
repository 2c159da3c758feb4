"""What a catalog defines, for what refers to it by name; and what has been read of it already."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from quotad.catalog.merge import Merged
from quotad.catalog.parse_entitlement import parse_entry
from quotad.catalog.problems import Place, mapping_of
from quotad.model import Entry, Feature

T = TypeVar("T")

REMEMBERED_MAX = 100_000
"""Most entries that are remembered while a catalog is read, about 30 MB."""


class Known:
    """What a catalog defines, for what refers to it."""

    def __init__(
        self,
        merged: Merged,
        features: dict[str, Feature | None],
        published: bool = False,
    ) -> None:
        self.merged = merged
        self._published = published
        self.features = features
        """Those that are defined badly as None, so that their name is known."""
        self._shapes: dict[object, int] = {}
        self._shape_of: dict[str, int] = {}
        """By feature id: a number shared by features whose entries may be the same."""
        self._read: dict[object, Entry] = {}
        """What was read without a problem."""

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
            parse_one: reads the entry of one feature.
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
            feature = self.features[feature_id]
            parsed = None if feature is None else parse_one(spot, feature, value)
            if parsed is not None:
                entries[feature_id] = parsed
        return entries

    def entry(self, place: Place, feature: Feature, value: object) -> Entry | None:
        """Return a plan's entry for a feature, or None after noting what is wrong with it.

        Plans grant much alike, and a published catalog holds what each of them was, revision by
        revision, with few differences between them: what was read once is not read again.
        """
        shape: object = self._shape_of.get(feature.feature_id)
        if shape is None:
            shape = self._shape(feature)
        if isinstance(value, dict) and "rollout" in value:
            shape = feature.feature_id  # which is its salt
        try:
            # Not as JSON, where a date of TOML is spelled like a text.
            key = (shape, repr(value))
        except (ValueError, RecursionError):  # a number or a nesting that is too long to be spelled
            return parse_entry(place, feature, value)
        found = self._read.get(key)
        if found is not None:
            return found
        problems = place.problems.count
        entry = parse_entry(place, feature, value)
        if self._published and entry and entry.rollout is not None and entry.inherit is None:
            # In a document that was published, every rollout without `inherit` is
            # inherited: it may be older than the choice, and keeps its meaning.
            entry = msgspec.structs.replace(entry, inherit=True)
        # What has a problem is read again, so that it is noted at every place.
        if (
            entry is not None
            and place.problems.count == problems
            and len(self._read) < REMEMBERED_MAX
        ):
            self._read[key] = entry
        return entry

    def _shape(self, feature: Feature) -> int:
        shape = (
            feature.type,
            feature.kind,
            feature.values,
            feature.decimals,
            feature.credit is None,
        )
        number = self._shapes.setdefault(shape, len(self._shapes))
        self._shape_of[feature.feature_id] = number
        return number
