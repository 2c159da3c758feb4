"""Log lines as servers and scanners really write them, and what templates make of them."""

import codecs
import gzip
import io
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from quotad.client import Consumption, Decision, QuotaUnavailable, Reason
from quotad.replay.access_log import FIELDS, LineError, parse_combined, parse_common, parse_json
from quotad.replay.files import LINE_BYTES_MAX, LogFile, open_log
from quotad.replay.formats import format_of
from quotad.replay.line_templates import LineTemplates
from quotad.replay.report import CUSTOMERS_MAX, FEATURES_MAX, OTHERS, ReplayTally
from quotad.replay.template import MissingField, Template, TemplateError

LINE = (
    b'192.0.2.7 - alice [17/May/2026:10:05:03 +0000] "GET /a/b?c=d HTTP/1.1" 200 2326 '
    b'"https://example.com/" "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"'
)


def replaced(old: bytes, new: bytes) -> bytes:
    assert old in LINE
    return LINE.replace(old, new)


def test_combined_line_has_all_its_fields() -> None:
    record = parse_combined(LINE)

    assert {
        "remote_host": "192.0.2.7",
        "remote_user": "alice",
        "time": "17/May/2026:10:05:03 +0000",
        "method": "GET",
        "path": "/a/b?c=d",
        "protocol": "HTTP/1.1",
        "status": "200",
        "bytes": "2326",
        "referer": "https://example.com/",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
    } == record
    assert tuple(record) == FIELDS


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        (replaced(b"192.0.2.7", b"2001:db8::1"), "remote_host", "2001:db8::1"),
        (replaced(b"192.0.2.7", b"crawl-1.example.net"), "remote_host", "crawl-1.example.net"),
        (replaced(b"alice", b"-"), "remote_user", "-"),
        (replaced(b"alice", b"Alice Smith"), "remote_user", "Alice Smith"),
        (replaced(b"alice", b'""'), "remote_user", '""'),
        (replaced(b" 2326", b" -"), "bytes", "-"),
        (replaced(b" 2326", b""), "bytes", "-"),
        (replaced(b"Mozilla/5.0", rb"\"Evil\" Bot \\ 1"), "user_agent", '"Evil" Bot \\ 1'),
        (replaced(b"Mozilla/5.0", rb"\x22nginx\x22 \x5C"), "user_agent", '"nginx" \\'),
        (replaced(b"Mozilla/5.0", rb"bell\x07 \n"), "user_agent", r"bell\x07 \n"),
        (replaced(b"Mozilla/5.0", b"caf\xc3\xa9"), "user_agent", "café"),
        (replaced(b"Mozilla/5.0", b"\xff\xfe"), "user_agent", "\ufffd\ufffd"),
        (LINE + b' 0.123 "upstream" -', "user_agent", "Mozilla/5.0"),
        (
            replaced(b"GET /a/b?c=d HTTP/1.1", b"GET /with a space HTTP/1.0"),
            "path",
            "/with a space",
        ),
        (replaced(b"GET /a/b?c=d HTTP/1.1", b"GET /old"), "path", "/old"),
        (replaced(b"GET /a/b?c=d HTTP/1.1", b"GET /old"), "protocol", "-"),
        (replaced(b"GET /a/b?c=d HTTP/1.1", b"-"), "method", "-"),
        (replaced(b"GET /a/b?c=d HTTP/1.1", rb"\x16\x03\x01 \x02"), "path", r"\x16\x03\x01 \x02"),
        (replaced(b"GET /a/b?c=d HTTP/1.1", rb"\x16\x03\x01 \x02"), "method", "-"),
        (replaced(b"GET /a/b?c=d HTTP/1.1", b""), "path", ""),
        (replaced(b'"GET /a/b?c=d HTTP/1.1"', rb'"GET /?q=\"x\" HTTP/1.1"'), "path", '/?q="x"'),
    ],
)
def test_odd_lines_are_read_all_the_same(line: bytes, field: str, value: str) -> None:
    found = parse_combined(line)[field]

    assert found == value if field != "user_agent" else found.startswith(value)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not in the combined format"),
        (b"\x00\x00\x00", "not in the combined format"),
        (b"just some words", "not in the combined format"),
        (LINE[: len(LINE) // 3], "not in the combined format"),
        (LINE[:-10], "referer or user agent is missing or cut off"),
        (LINE.split(b' "https')[0], "referer or user agent is missing or cut off"),
        (replaced(b" 200 ", b" 2x0 "), "not in the combined format"),
    ],
)
def test_line_that_is_not_combined_has_the_reason(line: bytes, why: str) -> None:
    with pytest.raises(LineError) as caught:
        parse_combined(line)

    assert why == str(caught.value)


def test_line_of_nothing_but_escapes_does_not_make_the_parser_try_for_ages() -> None:
    with pytest.raises(LineError):
        parse_combined(LINE[:-1] + rb"\"" * 30_000)
    with pytest.raises(LineError):
        parse_combined(LINE.split(b" [")[0] + b" [" * 30_000)


def test_common_line_is_read_with_and_without_the_end_of_combined() -> None:
    short = parse_common(LINE.split(b' "https')[0])

    assert FIELDS[:-2] == tuple(short)
    assert short == parse_common(LINE)


def test_json_line_is_read_as_it_is() -> None:
    record = parse_json(b'{"user": {"id": 17}, "ok": true}')

    assert {"user": {"id": 17}, "ok": True} == record


NESTED = [b"[" * 50_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000]


@pytest.mark.parametrize("line", NESTED)
def test_json_line_that_is_nested_too_deeply_reports_it(line: bytes) -> None:
    with pytest.raises(LineError) as caught:
        parse_json(line)

    assert "JSON is nested too deeply" == str(caught.value)


@pytest.mark.parametrize("line", [b"", b"{", b"17", b"[1]", b'{"a": "\xff"}'])
def test_line_that_is_no_json_object_reports_it(line: bytes) -> None:
    with pytest.raises(LineError, match="not "):
        parse_json(line)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("api-calls", "api-calls"),
        ("{user.id}", "17"),
        ("t-{user.id}/{plan}", "t-17/pro"),
        ("{{{plan}}}", "{pro}"),
        ("{dotted.key}", "literal"),
        ("{x-tenant}", "a b"),
        ("{size}", "12"),
        ("{ratio}", "0.5"),
        ("{ok}", "true"),
        ("", ""),
    ],
)
def test_template_takes_text_and_numbers_from_a_line(template: str, text: str) -> None:
    record = {
        "user": {"id": 17},
        "plan": "pro",
        "dotted.key": "literal",
        "x-tenant": "a b",
        "size": 12.0,
        "ratio": 0.5,
        "ok": True,
    }

    assert text == Template(template).render(record)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{nope}", "no field 'nope'; these exist: user, gone"),
        ("{user.name}", "no field 'user.name'; these exist: user, gone"),
        ("{user.id.x}", "no field 'user.id.x'; these exist: user, gone"),
        ("{gone}", "no field 'gone'; these exist: user, gone"),
        ("{user}", "field 'user' is neither text nor a number"),
    ],
)
def test_line_without_the_field_names_those_that_exist(template: str, why: str) -> None:
    with pytest.raises(MissingField) as caught:
        Template(template).render({"user": {"id": 17}, "gone": None})

    assert why == str(caught.value)


@pytest.mark.parametrize("text", ["{", "}", "{a", "{}", "{ }", "{a!r}", "{a:>10}", "{a}}"])
def test_malformed_template_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        Template(text)


def test_unknown_field_of_a_fixed_format_is_refused_with_those_that_exist() -> None:
    with pytest.raises(TemplateError) as caught:
        LineTemplates(format_of("common"), "{user_agent}", "api-calls", "1")

    assert (
        "'{user_agent}': no field 'user_agent'; these exist: "
        "remote_host, remote_user, time, method, path, protocol, status, bytes"
    ) == str(caught.value)


def test_plan_makes_a_request_of_a_line() -> None:
    plan = LineTemplates(format_of("combined"), "{remote_host}", "bandwidth", "{bytes}")

    assert Consumption("192.0.2.7", "bandwidth", 2326) == plan.request(LINE)
    assert 0 == plan.request(replaced(b" 2326", b" -")).quantity


def test_quantity_that_is_no_whole_number_is_the_lines_problem() -> None:
    plan = LineTemplates(format_of("jsonl"), "{c}", "f", "{n}")

    with pytest.raises(LineError, match=r"^quantity '1.5' is not a whole number$"):
        plan.request(b'{"c": "a", "n": 1.5}')


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"c": "", "n": 1}', "customer id is empty"),
        (
            b'{"c": "%s", "n": 1}' % (b"x" * 257),
            "customer id of 257 bytes; at most 256 are allowed",
        ),
        ('{"c": "%s", "n": 1}' % ("é" * 129), "customer id of 258 bytes; at most 256 are allowed"),
        (
            rb'{"c": "a\u0007", "n": 1}',
            r"customer id 'a\x07' has characters that cannot be printed",
        ),
        (b'{"c": "a", "n": 1000000000000001}', "quantity 1000000000000001 is beyond 10000000"),
        (b'{"c": "a", "n": -1000000000000001}', "quantity -1000000000000001 is beyond 1000000"),
        (b'{"c": "a", "n": "%s"}' % (b"9" * 5000), "quantity '9999999999999999999999999999999999"),
    ],
)
def test_line_whose_request_would_spoil_its_batch_is_refused(line: bytes | str, why: str) -> None:
    plan = LineTemplates(format_of("jsonl"), "{c}", "f", "{n}")

    with pytest.raises(LineError) as caught:
        plan.request(line if isinstance(line, bytes) else line.encode())

    assert str(caught.value).startswith(why)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_lines_come_without_their_ends(tmp_path: Path) -> None:
    with open_log(write(tmp_path / "log", b"a\nb\r\n\nlast")) as log:
        assert [b"a", b"b", b"", b"last"] == list(log.lines())
        assert log.size == log.position == 10


def test_gzipped_log_is_read_whatever_its_name(tmp_path: Path) -> None:
    with open_log(write(tmp_path / "log", gzip.compress(b"a\nb\n"))) as log:
        assert [b"a", b"b"] == list(log.lines())
        assert "" == log.damage


def test_damaged_gzip_ends_with_its_lines_so_far_and_the_damage(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b"%d\n" % number for number in range(100_000)))
    with open_log(write(tmp_path / "log.gz", whole[: len(whole) // 2])) as log:
        lines = list(log.lines())

    assert b"0" == lines[0]
    assert 100_000 > len(lines)
    assert log.damage


def test_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    data = b"a\n" + b"x" * (3 * LINE_BYTES_MAX) + b"\nb\n" + b"y" * LINE_BYTES_MAX
    with open_log(write(tmp_path / "log", data)) as log:
        assert [b"a", None, b"b", None] == list(log.lines())


def test_empty_log_has_no_lines(tmp_path: Path) -> None:
    with open_log(write(tmp_path / "log", b"")) as log:
        assert [] == list(log.lines())


def test_stream_without_a_size_is_read_too() -> None:
    log = LogFile(cast(BinaryIO, io.BytesIO(b"a\nb\n")))

    assert log.size is None
    assert [b"a", b"b"] == list(log.lines())
    assert 0 == log.position


def denied(customer: str = "acme", feature: str = "f") -> tuple[Consumption, Decision]:
    decision = Decision(
        allowed=False,
        reason=Reason.LIMIT_EXCEEDED,
        granted=0,
        limit=1,
        unlimited=False,
        soft_limit=False,
        used=1,
        remaining=0,
        overage=0,
        resets_at=None,
        retry_after=None,
        limits=(),
        replayed=False,
        is_fallback=False,
        catalog_version=1,
        value="",
    )
    return Consumption(customer, feature), decision


def test_tally_of_very_many_denied_customers_stays_bounded_and_keeps_the_top() -> None:
    tally = ReplayTally()
    for _ in range(3):
        tally.add(*denied("worst"))
    for number in range(CUSTOMERS_MAX + 10):
        tally.add(*denied(f"c{number}"))

    report = tally.report(1.0)

    assert CUSTOMERS_MAX + 13 == report.denied
    assert ("worst", 3) == (report.top_denied[0].customer_id, report.top_denied[0].denied)
    assert not report.top_denied_exact
    assert CUSTOMERS_MAX >= len(tally._denied)


def test_features_beyond_the_maximum_are_counted_together() -> None:
    tally = ReplayTally()
    for number in range(FEATURES_MAX + 7):
        tally.add(*denied(feature=f"f{number}"))

    busiest = tally.report(1.0).features[0]

    assert (OTHERS, 7) == (busiest.feature_id, busiest.denied)


def test_errors_are_counted_by_kind_with_the_first_message() -> None:
    tally = ReplayTally()
    for message in ("first", "second"):
        error = QuotaUnavailable(message, code="UNAVAILABLE", reason="STORE_UNAVAILABLE")
        tally.add(Consumption("acme", "f"), error)

    (failure,) = tally.report(0).failures
    assert ("UNAVAILABLE", "STORE_UNAVAILABLE", "first", 2) == (
        failure.code,
        failure.reason,
        failure.message,
        failure.count,
    )


def test_a_first_line_with_a_mark_is_as_long_as_it_is(tmp_path: Path) -> None:
    data = codecs.BOM_UTF8 + b"x" * (LINE_BYTES_MAX + 10) + b"\nshort\n"

    with open_log(write(tmp_path / "log", data)) as log:
        assert [None, b"short"] == list(log.lines())


def test_a_closed_standard_input_is_an_error_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)

    with pytest.raises(OSError, match="Bad file descriptor"):
        open_log(Path("-"))
