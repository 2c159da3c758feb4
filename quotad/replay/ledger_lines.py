"""Entries of the ledger as a log: of its archive, and as `quotad ledger list --json` prints them.

What was asked for is a call, allowed or denied. Other entries, such as refunds, are none.
"""

from collections import Counter
from collections.abc import Mapping

from quotad.ledger import VERBS
from quotad.plural import plural
from quotad.replay.access_log import LineError, NoRecordError, Record, parse_json

_CALLS = ("consume", "record")

_TIMES = ("occurred_ms", "occurred_at", "at_ms", "at")
"""When it happened rather than when it was counted; of archives, and of what is printed."""


class LedgerLines:
    """Reads entries."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        """Entries that are no calls, by verb."""

    def parse(self, line: bytes) -> Record:
        """Read an entry; its time is in `time` as well.

        Raises:
            NoRecordError: it is no call.
            LineError: it is no entry.
        """
        record = parse_json(line)
        verb = record.get("verb")
        if not isinstance(verb, str) or verb not in VERBS:
            raise LineError("not an entry of the ledger: it has no verb that is known")
        if verb not in _CALLS:
            self.left_out[verb] += 1
            raise NoRecordError("no call")
        time = next((record[name] for name in _TIMES if record.get(name)), None)
        if time is None:
            raise LineError("not an entry of the ledger: it has no time")
        return {**record, "time": time}


def left_out_note(left_out: Mapping[str, int]) -> str:
    """Which entries were left out, in words; empty: none."""
    if not left_out:
        return ""
    count = sum(left_out.values())
    verbs = ", ".join(f"{verb} {left_out[verb]:,}" for verb in sorted(left_out))
    was = "was" if count == 1 else "were"
    return f"{plural(count, 'entry')} of the ledger {was} left out: {verbs}"
