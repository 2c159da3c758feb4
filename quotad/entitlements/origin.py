"""An effective value with the sources that it is from, part by part.

A part is what has one owner: the number of a limit, that a limit is soft or in shadow, one value of
a config feature that lists its values, the whole of any other. Merging is left to `resolve`; here
only what came out of a step is compared with what went in.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from quotad.entitlements.merge import granted_values
from quotad.model import Entitlement, FeatureType, Limit

Owners = frozenset[int]
"""Numbers of sources."""

SOFT, SHADOW, UNLIMITED = "soft", "shadow", "unlimited"


class Part(NamedTuple):
    """One part of an entitlement."""

    name: Hashable
    """The window of a limit, a value, or nothing."""
    manner: bool = False
    """That the limit is soft or in shadow, not its number."""


class Origin:
    """What a customer has of a feature so far, and the sources of each part."""

    __slots__ = ("owners", "right")

    def __init__(
        self, right: Entitlement | None = None, owners: Mapping[Part, Owners] | None = None
    ) -> None:
        self.right = right
        self.owners = dict(owners or {})

    @classmethod
    def of(cls, right: Entitlement | None, source: int) -> "Origin":
        """Everything is of one source."""
        return cls(right, dict.fromkeys(parts(right), frozenset([source])))

    @property
    def winners(self) -> Owners:
        """Every source that something is from."""
        return frozenset().union(*self.owners.values())

    def of_source(self, source: int) -> list[Part]:
        """The parts that are a source's, alone or with others."""
        return [part for part, owners in self.owners.items() if source in owners]

    def share(self, source: int) -> None:
        """Everything is also of another source."""
        self.owners = {part: own | {source} for part, own in self.owners.items()}

    def joined(self, has: Entitlement | None, other: "Origin") -> "Origin":
        """Return the origin of what a customer has of both, as `resolve` has merged it."""
        if has is self.right:
            return self
        if self.right is None or has is None:
            return Origin(has, other.owners)
        return self._with(has, other)

    def _with(self, merged: Entitlement, other: "Origin") -> "Origin":
        before, theirs = parts(self.right), parts(other.right)
        owners: dict[Part, Owners] = {}
        for part, value in parts(merged).items():
            own = self.owners.get(part, frozenset())
            if part in before and before[part] == value:
                owners[part] = own
                continue
            # A month of one's own raised by one that begins on another day: by amount.
            alike = [
                key for key, their in theirs.items() if (key.manner, their) == (part.manner, value)
            ]
            if value == UNLIMITED and not alike:
                owners[part] = other.winners  # its entry is only that a pool limits it
            elif part in theirs and (part in alike or not alike):
                owners[part] = other.owners[part] if part in alike else own | other.owners[part]
            elif alike:
                owners[part] = other.owners[alike[0]]
            elif part.manner and Part(part.name) not in before:
                # The other's windows win, and one of them is soft because a limit of mine was.
                owners[part] = self._whose_manner()
            else:
                owners[part] = own | other.winners
        return Origin(merged, owners)

    def _whose_manner(self) -> Owners:
        """The sources that make limits soft."""
        return frozenset().union(*(own for part, own in self.owners.items() if part.manner))


def parts(right: Entitlement | None) -> dict[Part, object]:
    """What has one owner each, and its value."""
    if right is None:
        return {}
    feature = right.feature
    if feature.type is FeatureType.METERED and right.limits:
        found: dict[Part, object] = {}
        for limit in right.limits:
            found[Part(limit.window)] = UNLIMITED if limit.limit is None else limit.limit
            manner = _manner(limit)
            if manner:
                found[Part(limit.window, manner=True)] = manner
        return found
    if feature.values:
        return {Part(value): value for value in granted_values(right)}
    return {Part(""): right.value}


def _manner(limit: Limit) -> tuple[object, ...]:
    """How a limit is enforced, where not hard: in shadow, or soft and where it stops."""
    if limit.shadow:
        return (SHADOW,)
    if not limit.soft:
        return ()
    stop = None
    if limit.limit is not None and limit.overage_limit is not None:
        stop = limit.limit + limit.overage_limit
    return (SOFT, stop)
