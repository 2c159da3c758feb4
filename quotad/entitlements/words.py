"""The words of an explanation: why something did not win, or how far it did."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from quotad.catalog.numbers import unscaled
from quotad.decision import EntitlementSource, SourceKind
from quotad.entitlements.addons import Bought, target_of
from quotad.entitlements.experiment import Group
from quotad.entitlements.merge import merge
from quotad.entitlements.origin import SHADOW, Origin, Part, parts
from quotad.experiments import CONTROL
from quotad.model import AddOnEntry, Entitlement, Feature, FeatureType, Limit, Rollout, Span, Window
from quotad.records import Promotion, Subscription

# Precedence, the strongest first; what is not in force stands behind what is.
OVERRIDE, PROMOTION, TRIAL, SUBSCRIPTION, NOT_IN_FORCE = range(5)

MISFIT = "does not fit the feature any more"
GONE = "is not in the catalog any more"

_WITHIN = {
    SourceKind.ADDON: 0,
    SourceKind.PLAN: 1,
    SourceKind.TRIAL: 1,
    SourceKind.DEFAULT_PLAN: 1,
    SourceKind.BASE_PLAN: 2,
}
"""Of one subscription: an add-on is on top of the plan, and that on top of what it extends."""


class SourceDraft(msgspec.Struct):
    """A source while it is drafted."""

    kind: SourceKind
    source_id: str = ""
    subscription_id: str = ""
    subscription: int = 0
    """Which of the subscriptions it is of, by rank."""
    rank: int = SUBSCRIPTION
    grants: object = None
    """In JSON values; None: no entry."""
    right: Entitlement | None = None
    """What it grants alone."""
    revision: int = 0
    quantity: int = 0
    ends_at_ms: int | None = None
    notes: list[str] = []
    settled: bool = False
    """Whether the notes hold why it did not win."""

    def note(self, text: str) -> None:
        """Add a note."""
        self.notes.append(text)

    def lost(self, why: str) -> None:
        """Note why it did not win."""
        self.notes.append(why)
        self.settled = True

    @property
    def order(self) -> tuple[int, int, int]:
        """Where it stands; of equals, the first drafted is first."""
        return self.rank, self.subscription, _WITHIN.get(self.kind, 0)

    @property
    def name(self) -> str:
        """What a person calls it."""
        if self.kind is SourceKind.PROMOTION or self.kind is SourceKind.OVERRIDE:
            return f"the {self.kind.name.lower()}"
        what = "add-on" if self.kind is SourceKind.ADDON else "plan"
        trial = "the trial of " if self.kind is SourceKind.TRIAL else ""
        return f"{trial}{what} {self.source_id}"

    def source(self, won: bool, pool_id: str) -> EntitlementSource:
        """The source as it is returned."""
        return EntitlementSource(
            int(self.kind),
            self.source_id,
            won,
            "" if self.grants is None else msgspec.json.encode(self.grants).decode(),
            self.revision,
            self.quantity,
            self.subscription_id,
            pool_id,
            self.ends_at_ms,
            "; ".join(self.notes),
        )


def note_why(drafts: Sequence[SourceDraft], origin: Origin) -> None:
    """Note why sources that grant something did not win, or in which part they did."""
    winners = origin.winners
    whole = len(parts(origin.right))
    overridden = any(drafts[i].kind is SourceKind.OVERRIDE for i in winners)
    for number, draft in enumerate(drafts):
        if draft.kind is SourceKind.BASE_PLAN and not draft.notes and number not in winners:
            draft.note("lost with the plan that inherits it")
        if draft.settled or draft.kind is SourceKind.BASE_PLAN or draft.right is None:
            continue
        if number in winners:
            own = origin.of_source(number)
            if len(own) < max(whole, len(parts(draft.right))):
                draft.note(_part_of(origin, own))
        elif overridden:
            draft.note("replaced by the override")
        else:
            draft.note(_compared(draft.right, origin, drafts))


def addon_note(
    draft: SourceDraft,
    feature: Feature,
    bought: Bought,
    before: Entitlement | None,
    others: Sequence[AddOnEntry],
) -> None:
    """Note what an add-on's amount does to the plan's limit, or why nothing.

    Args:
        draft: of the add-on.
        feature: that it is about.
        bought: its entry, and how many there are.
        before: what the plan grants.
        others: entries of the other add-ons, where this one changes nothing beside them.
    """
    entry, quantity = bought
    if entry.entry is not None:
        return
    limits = () if before is None else before.limits
    index = target_of(entry, limits)
    unlimited = index is not None and limits[index].limit is None
    if unlimited or (before is not None and not limits):  # or only its pool limits it
        draft.lost("adds to nothing: the plan has it unlimited")
    elif entry.add is not None and any(
        other.set is not None and _limit_of(other, limits) == _limit_of(entry, limits)
        for other in others
    ):
        draft.lost("not added, as another add-on sets the limit")
    elif entry.add is not None:
        more = f" x {quantity}" if quantity > 1 else ""
        draft.note(f"adds {_number(entry.add, feature.decimals)}{more}")


def _limit_of(entry: AddOnEntry, limits: tuple[Limit, ...]) -> object:
    """Which limit an amount is about, be it one of the plan's or one that add-ons bring."""
    index = target_of(entry, limits)
    return entry.window if index is None else index


def rollout(rolled: Rollout, outside: bool) -> str:
    """`outside the rollout (10 % of customers)`."""
    percent = _number(rolled.per_myriad, 2)
    return f"{'outside' if outside else 'inside'} the rollout ({percent} % of customers)"


def experiment(group: Group) -> str:
    """`instead of pro, inside the experiment pricing (10 % of new customers)`."""
    tried = group.experiment
    share = f"{_number(tried.per_myriad, 2)} % of {'new ' if tried.new_customers else ''}customers"
    if group.variant == CONTROL:
        return f"outside the experiment {tried.name} ({share})"
    return f"instead of {tried.of}, inside the experiment {tried.name} ({share})"


def span(span: Span, now_ms: int) -> str:
    """`from 2026-12-01 until 2027-01-01`, `starts 2026-12-01` or `has ended 2027-01-01`."""
    if span.from_ms is not None and now_ms < span.from_ms:
        return f"starts {moment(span.from_ms)}"
    if span.until_ms is not None and now_ms >= span.until_ms:
        return f"has ended {moment(span.until_ms)}"
    said = [] if span.from_ms is None else [f"from {moment(span.from_ms)}"]
    said += [] if span.until_ms is None else [f"until {moment(span.until_ms)}"]
    return " ".join(said)


def per_unit(limits: Sequence[Limit], decimals: int, units: int) -> list[str]:
    """Of a plan's limits per unit: `1 per unit x 50`."""
    return [
        f"{_number(limit.limit or 0, decimals)} per unit x {units:,}"
        for limit in limits
        if limit.per_unit
    ]


def moment(at_ms: int) -> str:
    """A moment as a person writes it, with the time of day unless it is midnight."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%d}" if not at_ms % 86_400_000 else f"{at:%Y-%m-%d %H:%M} UTC"


def ended(over: Promotion | Subscription) -> str:
    """`has ended 2027-01-15`."""
    assert over.end_ms is not None, "what is over has an end"
    return f"has ended {moment(over.end_ms)}"


def _part_of(origin: Origin, own: list[Part]) -> str:
    """Which limits or values a source gives, where it does not give all."""
    assert origin.right is not None, "somebody won"
    if origin.right.feature.type is not FeatureType.METERED:
        return "gives " + ", ".join(str(part.name) for part in own)
    said = []
    numbers = [_limit_name(part) for part in own if not part.manner]
    if numbers:
        said.append("decides the limit " + " and ".join(numbers))
    manners = parts(origin.right)
    for part in own:
        if part.manner:
            shadow = manners[part] == (SHADOW,)
            name = _limit_name(part)
            said.append(
                f"puts the limit {name} in shadow" if shadow else f"makes the limit {name} soft"
            )
    return "; ".join(said)


def _limit_name(part: Part) -> str:
    return f"per {part.name.per}" if isinstance(part.name, Window) else "without a period"


def _compared(right: Entitlement, origin: Origin, drafts: Sequence[SourceDraft]) -> str:
    """Return what was more than `right`, part for part where there are such parts."""
    effective = {part: value for part, value in parts(origin.right).items() if not part.manner}
    mine = {part: value for part, value in parts(right).items() if not part.manner}
    lengths = {_length(part) for part in mine}
    rivals = [part for part in effective if _length(part) in lengths] or list(effective)
    owners = frozenset[int]().union(*(origin.owners[part] for part in rivals))
    # The base of a winner needs no mention beside it.
    names = [drafts[i].name for i in sorted(owners) if drafts[i].kind is not SourceKind.BASE_PLAN]
    who = " and ".join(names) + (" grants" if len(names) == 1 else " grant")
    # Of equals the first one wins, so the other way round it would be this one.
    equal = origin.right is not None and merge(right, origin.right) is right
    if equal or set(mine.values()) <= set(effective.values()):
        return f"no more than {who}"
    if right.feature.type is FeatureType.METERED:
        return f"less than {who}"
    return f"replaced by what {who}"


def _length(part: Part) -> object:
    """A window without what it is aligned to: a month is a month."""
    return part.name.per if isinstance(part.name, Window) else part.name


def _number(value: int, decimals: int) -> str:
    return f"{unscaled(value, decimals):,}"
