"""What a customer is known by: name, email, time zone, metadata, ids in other systems."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from quotad.catalog import Snapshot
from quotad.catalog.parse_feature import (
    METADATA_BYTES_MAX,
    METADATA_KEY_BYTES_MAX,
    METADATA_MAX,
)
from quotad.catalog.windows import zone_named, zone_names
from quotad.customers.checks import listed
from quotad.customers.settle import settled, with_default_plan
from quotad.entitlements.phases import no_earlier_than_written
from quotad.errors import InvalidRequest
from quotad.ids import check_id, check_name, check_text
from quotad.nearest import nearest
from quotad.records import CustomerRecord

EMAIL_BYTES_MAX = 320
EXTERNAL_IDS_MAX = 20
"""Most ids in other systems."""


class Profile(msgspec.Struct, frozen=True):
    """What of it is to change; None, and keys that are not there: stays."""

    name: str | None = None
    email: str | None = None
    timezone: str | None = None
    """Of the tz database; empty: none."""
    metadata: Mapping[str, str] = {}
    """By key; an empty value removes it."""
    external_ids: Mapping[str, str] = {}
    """Ids in other systems, by system (`stripe`); an empty one removes it."""


UNCHANGED = Profile()


def with_profile(record: CustomerRecord, wanted: Profile) -> CustomerRecord:
    """Return the record with what is wanted of it.

    Raises:
        InvalidRequest: there would be more metadata, or more external ids, than a record may hold.
    """
    if wanted == UNCHANGED:
        return record
    metadata = merged(record.metadata, wanted.metadata)
    external_ids = merged(record.external_ids, wanted.external_ids)
    check_counts(metadata, external_ids)
    return replace(
        record,
        name=record.name if wanted.name is None else wanted.name,
        email=record.email if wanted.email is None else wanted.email,
        timezone=record.timezone if wanted.timezone is None else wanted.timezone,
        metadata=metadata,
        external_ids=external_ids,
    )


def update(
    record: CustomerRecord, wanted: Profile, snapshot: Snapshot, now_ms: int
) -> CustomerRecord:
    """Change what a customer is known by.

    One without a record gets it: with the default plan, if there is one, as its subscription.

    Raises:
        InvalidRequest: there would be more metadata or external ids than a record may hold.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    record = settled(with_default_plan(record, snapshot, now_ms), now_ms)
    return replace(with_profile(record, wanted), updated_ms=now_ms)


def check_profile(wanted: Profile) -> None:
    """Check the shape of each part.

    Raises:
        InvalidRequest: names the field.
    """
    check_name(wanted.name or "")
    check_email(wanted.email or "")
    check_timezone(wanted.timezone or "")
    check_metadata(wanted.metadata)
    check_external_ids(wanted.external_ids)


def check_email(text: str) -> None:
    """Refuse what is no email address; it may be empty.

    Raises:
        InvalidRequest: it is none.
    """
    check_text(text, "email", EMAIL_BYTES_MAX)
    local, at, domain = text.rpartition("@")
    if text and not (local and at and domain and " " not in text):
        raise InvalidRequest(f"email: {text[:40]!r} is no email address such as ada@example.com")


def check_timezone(text: str) -> None:
    """Refuse what is no time zone; it may be empty.

    Raises:
        InvalidRequest: it is none.
    """
    if not text or zone_named(text) is not None:
        return
    near = nearest(text[:64], zone_names())
    hint = f", did you mean {near!r}?" if near else "; write it as Europe/Berlin"
    raise InvalidRequest(f"timezone: unknown time zone {text[:40]!r}{hint}")


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Check keys and values.

    Raises:
        InvalidRequest: one is too long, or a key is not printable.
    """
    for key, value in metadata.items():
        if not key:
            raise InvalidRequest("metadata: a key is empty")
        check_text(key, "metadata", METADATA_KEY_BYTES_MAX)
        size = len(value.encode())
        if size > METADATA_BYTES_MAX:
            raise InvalidRequest(
                f"metadata: {key[:40]!r} is {size} bytes long; at most {METADATA_BYTES_MAX}"
            )


def check_external_ids(external_ids: Mapping[str, str], field: str = "external_ids") -> None:
    """Check systems and ids.

    Raises:
        InvalidRequest: one is too long or not printable.
    """
    for system, external_id in external_ids.items():
        check_id(system, field)
        if external_id:
            check_id(external_id, field)


def check_counts(metadata: Mapping[str, str], external_ids: Mapping[str, str]) -> None:
    """Refuse more metadata or external ids than a record may hold.

    Raises:
        InvalidRequest: there are more.
    """
    for field, parts, most in (
        ("metadata", metadata, METADATA_MAX),
        ("external_ids", external_ids, EXTERNAL_IDS_MAX),
    ):
        if len(parts) > most:
            raise InvalidRequest(f"{field}: {len(parts)} of them ({listed(parts)}); at most {most}")


def merged(before: dict[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return texts by key with those that are wanted, without empty ones."""
    if not wanted:
        return before
    return {key: value for key, value in sorted({**before, **wanted}.items()) if value}
