r"""What customers are found by: the members that each of them has in the index of its shard.

    p \0 <plan> \0 <customer>        a plan of any of its subscriptions, also to come or over
    s \0 archived \0 <customer>      only of archived ones
    n \0 <words> \0 <customer>       its display name, folded, from each of its words on
    e \0 <email> \0 <customer>       folded
    x \0 <id> \0 <customer>          an id in another system, its own or of a subscription
    g \0 promotion \0 <customer>     only of those that have one, also to come or over
    o \0 <feature> \0 <customer>     a feature of a promotion
    t \0 trial \0 <customer>         only of those that have one, also to come or over

A member is only a hint: after a customer is found by one, its record is read and compared.
Ids and names are printable, so that no part holds the zero byte between them.
"""

import unicodedata

import msgspec

from quotad.records import CustomerRecord

WORDS_MAX = 8
"""Words of a name that it is found by."""

_END = b"\0"


class Wanted(msgspec.Struct, frozen=True):
    """Which customers are looked for; what is empty is not asked for."""

    id_prefix: str = ""
    name: str = ""
    """What the name, or the rest of it from some word on, starts with; case does not count."""
    plan_id: str = ""
    archived: bool | None = None
    email: str = ""
    """The whole of it; case does not count."""
    external_id: str = ""
    """In any other system, of the customer or of a subscription."""
    promoted: bool = False
    """Whether only those with a promotion that is not over."""
    promotion_of: str = ""
    """The feature of such a promotion."""
    in_trial: bool = False
    """Whether only those of which a trial is under way, also of a resource."""


def external_ids(record: CustomerRecord) -> set[str]:
    """All ids in other systems that a record has."""
    of_phases = (each for phase in record.subscriptions for each in phase.external_ids.values())
    return {*record.external_ids.values(), *of_phases}


def folded(name: str) -> str:
    """A name without what does not count when it is looked for: case, width, spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def found_by(name: str) -> list[str]:
    """What a display name is found by the beginning of."""
    words = folded(name).split(" ")
    starts = [" ".join(words[i:]) for i in range(min(len(words), WORDS_MAX))]
    return sorted({start for start in starts if start})


def facets(record: CustomerRecord | None) -> set[bytes]:
    """The members of a record; None: of none."""
    if record is None:
        return set()
    customer = record.customer_id.encode()
    members = {_member(b"p", phase.plan_id) + customer for phase in record.subscriptions}
    members |= {_member(b"n", text) + customer for text in found_by(record.name)}
    members |= {_member(b"x", each) + customer for each in external_ids(record)}
    if record.email:
        members.add(_member(b"e", folded(record.email)) + customer)
    if record.archived:
        members.add(_member(b"s", "archived") + customer)
    if record.promotions:
        members.add(_member(b"g", "promotion") + customer)
    if any(phase.trial for phase in record.subscriptions):
        members.add(_TRIAL + customer)
    members |= {_member(b"o", each.feature_id) + customer for each in record.promotions}
    return members


def customer_of(member: bytes) -> str:
    """The id of the customer that a member is of."""
    return member.rpartition(_END)[2].decode()


def text_of(member: bytes) -> str:
    """The text of a member about its customer."""
    return member.split(_END)[1].decode()


def starts_of(wanted: Wanted) -> list[bytes]:
    """What the members of the wanted customers start with, one for each kind that they have;
    empty: they are not found by members."""
    customer = wanted.id_prefix.encode()
    starts = []
    if wanted.external_id:
        starts.append(_member(b"x", wanted.external_id) + customer)
    if wanted.email:
        starts.append(_member(b"e", folded(wanted.email)) + customer)
    if wanted.name:
        starts.append(_start_of_name(wanted))
    if wanted.plan_id:
        starts.append(_member(b"p", wanted.plan_id) + customer)
    if wanted.archived:
        starts.append(_member(b"s", "archived") + customer)
    if wanted.in_trial:
        starts.append(_TRIAL + customer)
    if wanted.promotion_of:
        starts.append(_member(b"o", wanted.promotion_of) + customer)
    elif wanted.promoted:
        starts.append(_member(b"g", "promotion") + customer)
    return starts


def is_of_trials(start: bytes) -> bool:
    """Whether members that start so are those of trials, which servers of earlier releases did not
    write."""
    return start.startswith(_TRIAL)


def is_repeated(member: bytes, record: CustomerRecord, wanted: Wanted) -> bool:
    """Whether another member before this one has led to the same customer already, or this one
    leads to no wanted customer."""
    if not wanted.name or not member.startswith(_start_of_name(wanted)):
        return False
    start = folded(wanted.name)
    first = next((text for text in found_by(record.name) if text.startswith(start)), None)
    return text_of(member) != first


def _start_of_name(wanted: Wanted) -> bytes:
    return b"n" + _END + folded(wanted.name).encode()


def _member(kind: bytes, text: str) -> bytes:
    return kind + _END + text.encode() + _END


_TRIAL = _member(b"t", "trial")
