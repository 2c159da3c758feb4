"""The nouns of exports: what is to be sent, kept in the store until it is, and how it goes."""

import msgspec

RECORD = "record"
"""The kind of an item that is a record of the ledger, of a newer release or damaged."""


class OutboxItem(msgspec.Struct, frozen=True, array_like=True):
    """Something to send; new fields go to the end and have defaults."""

    id: str
    """Stable: the same item has it again when it is made or sent again."""
    queue: str
    """Items of one queue are sent in the order in which they were made."""
    kind: str
    """What is in it, in a word of the target, or `RECORD`."""
    body: bytes
    """As the target has frozen it."""
    made_ms: int
    """Unix time, by the store's clock."""
    tries: int = 0
    """How often sending it has failed."""
    sent_ms: int = 0
    """When it was first about to be sent (Unix ms); 0: it never was."""
    parked: str = ""
    """Why it was set aside, so that nothing waits for it; empty: it was not."""
    again_ms: int = 0
    """Parked: when it is tried again without being asked for (Unix ms); 0: it is not."""
    state: str = ""
    """How far the target is with it, in a word of the target."""
    about: str = ""
    """What it is about, for people, such as the customer."""


class ExportProgress(msgspec.Struct, frozen=True):
    """How a part of an export is doing; new fields have defaults."""

    read_until_ms: int
    """All of the ledger before that was read (Unix ms, by the store's clock)."""
    unsent: int = 0
    """Items that are to be sent, without those that are parked."""
    oldest_ms: int = 0
    """When the oldest of them was made (Unix ms); 0: there is none."""
    parked: int = 0
    sent: int = 0
    """Items that were sent, in all."""
    failures: int = 0
    """Attempts to send one that have failed, in all."""
    problem: str = ""
    """Why the last attempt failed, while one of them has failed; empty: all is well."""
    gaps: int = 0
    """How often records of the ledger may have been dropped before they were read."""
    gap_ms: int = 0
    """When that was last noticed (Unix ms)."""


encode_item = msgspec.msgpack.Encoder().encode
decode_item = msgspec.msgpack.Decoder(OutboxItem).decode
encode_progress = msgspec.msgpack.Encoder().encode
decode_progress = msgspec.msgpack.Decoder(ExportProgress).decode

ARCHIVE = "archive"
"""Name of the target that writes the archive of the ledger."""

TARGETS = ("files", "stripe", "webhooks", ARCHIVE)
"""Names of the targets that there are."""


class ParkedItem(msgspec.Struct, frozen=True):
    """An item that was set aside, as operators see it."""

    target: str
    id: str
    about: str
    why: str
    since_ms: int
    """When it was made (Unix ms)."""
    tries: int
    again_ms: int
    """When it is tried again without being asked for (Unix ms); 0: it is not."""
