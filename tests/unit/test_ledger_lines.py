"""Entries of the ledger as lines of a log."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from quotad.cli import output
from quotad.client import Consumption
from quotad.client.ledger import LedgerLine
from quotad.decision import ConsumeRequest
from quotad.ledger import VERBS, LedgerEntry
from quotad.replay.access_log import LineError, NoRecordError
from quotad.replay.formats import format_of
from quotad.replay.ledger_lines import left_out_note
from quotad.replay.line_templates import LineTemplates
from quotad.simulate.lines import LoggedCall, Reader

AT_MS = 1_779_012_000_000
ENTRY = LedgerEntry("3-1-0-0", AT_MS, "consume", "acme", "storage", 150, True, "WITHIN_LIMIT")


def line_of(**changes: Any) -> bytes:
    """An entry as the archive has it."""
    return msgspec.json.encode(msgspec.structs.replace(ENTRY, **changes))


def templates() -> LineTemplates:
    log = format_of("ledger")
    made = LineTemplates(log, log.customer, log.feature, log.quantity)
    made.decimals = {"storage": 2}
    return made


def calls(*lines: bytes) -> list[LoggedCall]:
    plan = templates()
    return list(Reader(plan, plan.template("{time}"), None).calls(lines))


def test_an_entry_is_a_call_at_its_time_whose_quantity_is_in_parts_already() -> None:
    denied = line_of(allowed=False, quantity=999, reason="LIMIT_EXCEEDED", at_ms=AT_MS + 1)

    assert [
        LoggedCall(AT_MS, 1, ConsumeRequest("acme", "storage", 150), ""),
        LoggedCall(AT_MS + 1, 2, ConsumeRequest("acme", "storage", 999), ""),
    ] == calls(line_of(), denied)


def test_a_record_is_of_when_it_happened_and_of_its_resource() -> None:
    line = line_of(verb="record", occurred_ms=AT_MS - 5000, resource_id="site-1")

    (call,) = calls(line)

    assert AT_MS - 5000 == call.at_ms
    assert ConsumeRequest("acme", "storage", 150, resource_id="site-1") == call.request
    assert Consumption("acme", "storage", 150, resource_id="site-1") == templates().request(line)


def test_what_ledger_list_prints_is_the_same_call() -> None:
    at = datetime(2026, 5, 17, 10, tzinfo=UTC)
    rest: dict[str, Any] = {
        field.name: None if "None" in str(field.type) else field.type()
        for field in msgspec.structs.fields(LedgerLine)
        if field.name not in ("at", "verb", "customer_id", "feature_id", "quantity", "allowed")
    }
    printed = LedgerLine(
        at=at,
        verb="consume",
        customer_id="acme",
        feature_id="storage",
        quantity=150,
        allowed=True,
        **rest,
    )

    (call,) = calls(json.dumps(output.as_json(printed)).encode())

    assert (at.timestamp() * 1000, 150) == (call.at_ms, call.request.quantity)


def test_entries_that_are_no_calls_are_left_out_and_counted_by_verb() -> None:
    log = format_of("ledger")
    for verb in (*VERBS, "refund"):
        if verb in ("consume", "record"):
            log.parse(line_of(verb=verb))
            continue
        with pytest.raises(NoRecordError):
            log.parse(line_of(verb=verb))

    assert set(VERBS) - {"consume", "record"} == set(log.left_out)
    assert (2, 1) == (log.left_out["refund"], log.left_out["change"])
    assert "" == left_out_note({})
    assert "3 entries of the ledger were left out: change 1, refund 2" == left_out_note(
        {"refund": 2, "change": 1}
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"?", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no verb that is known"),
        (b'{"gap": {"shard": 1}}', "no verb that is known"),
        (b'{"verb": "frobnicate", "at_ms": 1}', "no verb that is known"),
        (b'{"verb": ["consume"], "at_ms": 1}', "no verb that is known"),
        (b'{"verb": "consume"}', "it has no time"),
    ],
)
def test_what_is_no_entry_is_refused(line: bytes, problem: str) -> None:
    log = format_of("ledger")

    with pytest.raises(LineError, match=problem):
        log.parse(line)
    assert {} == log.left_out
