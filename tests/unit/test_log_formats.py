"""Logs other than `combined`: with more words in front, of proxies and clouds, of containers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from quotad.replay.access_log import LineError, NoRecordError, Record
from quotad.replay.container import Wrapping
from quotad.replay.files import LINE_BYTES_MAX
from quotad.replay.formats import NAMES, PatternError, format_of
from quotad.replay.line_templates import LineTemplates
from quotad.replay.template import MissingField, Template

REST = b'[17/May/2026:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "-" "curl/8.5.0"'

IN_FRONT = [
    b"192.0.2.7, 10.0.0.1 - - ",
    b"192.0.2.7,10.0.0.1 - - ",
    b"10.0.0.2 (192.0.2.7) - - ",
    b"10.0.0.2 (192.0.2.7) - alice ",
    b"192.0.2.7 10.0.0.1 - - ",
    b"192.0.2.7 - 10.0.0.1 - - ",
    b"example.com 192.0.2.7 - ",
    b"May 17 10:05:03 web-1 nginx: 192.0.2.7 - - ",
    b"2026-05-17T10:05:03Z web-1 nginx: 192.0.2.7 - - ",
    b"web-1 | 192.0.2.7 - - ",
    b"[pod/web-1/nginx] 192.0.2.7 - - ",
]


@pytest.mark.parametrize("front", IN_FRONT)
@pytest.mark.parametrize("name", ["combined", "common"])
def test_line_with_other_words_in_front_is_refused_and_no_word_taken_for_the_client(
    name: str, front: bytes
) -> None:
    with pytest.raises(LineError) as caught:
        format_of(name).parse(front + REST)

    assert (
        f"not in the {name} format: it has other words in front; describe its lines with --format"
    ) == str(caught.value)


@pytest.mark.parametrize("front", [b"example.com:443 192.0.2.7 - - ", b"web-1 192.0.2.7 - alice "])
def test_virtual_host_in_front_is_named_as_what_it_is(front: bytes) -> None:
    with pytest.raises(LineError, match=r"it looks like vhost_combined$"):
        format_of("combined").parse(front + REST)


@pytest.mark.parametrize("front", [b"192.0.2.7 - - ", b"192.0.2.7 - Alice Smith ", *IN_FRONT])
def test_line_without_a_virtual_host_is_not_read_as_if_it_had_one(front: bytes) -> None:
    with pytest.raises(LineError, match=r"^not in the vhost_combined format$"):
        format_of("vhost_combined").parse(front + REST)


@pytest.mark.parametrize(
    ("front", "vhost", "port", "user"),
    [
        (b"example.com:443 192.0.2.7 - - ", "example.com", "443", "-"),
        (b"web-1 192.0.2.7 - alice ", "web-1", "-", "alice"),
        (b"[2001:db8::1]:80 192.0.2.7 - Alice Smith ", "[2001:db8::1]", "80", "Alice Smith"),
    ],
)
def test_vhost_combined_is_read(front: bytes, vhost: str, port: str, user: str) -> None:
    log = format_of("vhost_combined")

    record = log.parse(front + REST)

    assert tuple(record) == log.fields
    assert (vhost, port, "192.0.2.7", user, "/a?b", "curl/8.5.0") == fields(
        record, "vhost", "port", "remote_host", "remote_user", "path", "user_agent"
    )


def fields(record: Record, *names: str) -> tuple[Any, ...]:
    return tuple(record[name] for name in names)


@pytest.mark.parametrize(
    ("pattern", "line", "wanted"),
    [
        (
            "{client}, {_} - {_} [{time}] {rest}",
            b"192.0.2.7, 10.0.0.1 - - " + REST,
            {"client": "192.0.2.7", "time": "17/May/2026:10:05:03 +0000"},
        ),
        (
            '{proxy} ({client}) - {_} [{_}] "{request}" {status} {bytes} {_}',
            b"10.0.0.2 (192.0.2.7) - Alice Smith " + REST,
            {
                **{"proxy": "10.0.0.2", "client": "192.0.2.7"},
                **{"method": "GET", "path": "/a?b", "protocol": "HTTP/1.1", "status": "200"},
            },
        ),
        (
            '$remote_addr [$time_local] "$request" $request_time "$http_user_agent"',
            rb'192.0.2.7 [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 0.123 "a \"b\" \x22c"',
            {"remote_addr": "192.0.2.7", "request_time": "0.123", "http_user_agent": 'a "b" "c'},
        ),
        ("{{{a}}} {b}", b"{x} y z", {"a": "x", "b": "y z"}),
        ("{a}|{b}|", b"x y||", {"a": "x y", "b": ""}),
        ("{tenant} 100% $5", b"acme 100% $5", {"tenant": "acme"}),
    ],
)
def test_pattern_names_the_fields_of_a_line(
    pattern: str, line: bytes, wanted: Mapping[str, str]
) -> None:
    log = format_of(pattern)

    record = log.parse(line)

    assert wanted.items() <= record.items()
    assert set(record) == set(log.fields or ())
    assert "_" not in record


@pytest.mark.parametrize(
    "line", [b"", b"192.0.2.7 - - x", b"192.0.2.7 [x] y", b'192.0.2.7 [x] "y', b'a b [x] "y"']
)
def test_line_that_does_not_fit_the_pattern_as_a_whole_is_refused(line: bytes) -> None:
    with pytest.raises(LineError, match=r"^not in the given format$"):
        format_of('{host} [{time}] "{request}"').parse(line)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("combind", "there is no format 'combind'; did you mean 'combined'?"),
        ("xyz", f"there is no format 'xyz'; these exist: {', '.join(NAMES)}"),
        ("{a", "'{a': expected '}' before end of string"),
        ("{a}{b}", "'{a}{b}': needs text between {a} and {b}"),
        ("$a$b", "'{a}{b}': needs text between {a} and {b}"),
        ("{a} {a}", "'{a} {a}': names 'a' twice; {_} is for the others"),
        ("{a:>3}", "'{a:>3}': write {a}, without a format"),
        ("{ }", "'{ }': names no field between its braces"),
        ("{_} x", "'{_} x': names no field"),
        ("$", "'$': names no field"),
    ],
)
def test_malformed_pattern_is_refused(text: str, why: str) -> None:
    with pytest.raises(PatternError) as caught:
        format_of(text)

    assert why == str(caught.value)


ALB = (
    b"https 2026-05-17T10:05:03.250000Z app/web/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.1:80"
    b' 0.086 0.048 0.037 200 201 34 366 "GET https://www.example.com:443/a?b HTTP/1.1"'
    rb' "curl \"8\"" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:tg "Root=1-58" "-" "-" 1'
)
ENVOY = (
    b'[2026-05-17T10:05:03.310Z] "POST /api/v1 HTTP/2" 204 - 154 0 226 100 "192.0.2.7, 10.0.35.28"'
    b' "nsq2http" "cc21d9b0" "locations" "tcp://10.0.2.1:80"'
)


@pytest.mark.parametrize(
    ("name", "line", "wanted"),
    [
        ("alb", ALB, ("192.0.2.7", "2026-05-17T10:05:03.250000Z", "GET", "200", "366")),
        ("alb", ALB.replace(b"192.0.2.7:", b"2001:db8::7:"), ("2001:db8::7",)),
        ("alb", ALB.replace(b"192.0.2.7:", b"[2001:db8::7]:"), ("2001:db8::7",)),
        ("envoy", ENVOY, ("192.0.2.7", "2026-05-17T10:05:03.310Z", "POST", "204", "0")),
        ("envoy", ENVOY.replace(b"192.0.2.7, 10.0.35.28", b"-"), ("-",)),
    ],
)
def test_lines_of_proxies_have_the_names_of_web_servers(
    name: str, line: bytes, wanted: Sequence[str]
) -> None:
    log = format_of(name)

    record = log.parse(line)

    names = ("remote_host", "time", "method", "status", "bytes")[: len(wanted)]
    assert wanted == fields(record, *names)
    assert set(record) == set(log.fields or ())


W3C = b"""#Version: 1.0
#Fields: date time c-ip cs-username cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)
2026-05-17 10:05:03 192.0.2.7 - GET /a b=1 200 Mozilla/5.0+(X11)
2026-05-17 10:05:04 192.0.2.8 - GET /a - 200
#Fields: date time c-ip sc-bytes x-comment
2026-05-17 10:05:05 192.0.2.9 17 "a ""b"" c"
#Fields: date time c-ip cs-uri-stem
2026-05-17\t10:05:06\t192.0.2.7\t/with a blank"""


def test_w3c_lines_have_the_fields_of_the_directive_above_them() -> None:
    parse = format_of("w3c").parse
    records: list[Record] = []
    problems: list[str] = []
    for line in W3C.splitlines():
        try:
            records.append(parse(line))
        except NoRecordError:
            pass
        except LineError as error:
            problems.append(str(error))

    assert ["192.0.2.7", "192.0.2.9", "192.0.2.7"] == [each["remote_host"] for each in records]
    assert ("/a?b=1", "2026-05-17T10:05:03Z", "Mozilla/5.0+(X11)") == fields(
        records[0], "path", "time", "cs(User-Agent)"
    )
    assert ("17", 'a "b" c') == fields(records[1], "bytes", "x-comment")
    assert "/with a blank" == records[2]["path"]
    assert ["has 8 fields; #Fields names 9"] == problems


def test_w3c_line_without_a_directive_is_refused() -> None:
    with pytest.raises(LineError, match=r"^no #Fields directive stands above it$"):
        format_of("w3c").parse(b"2026-05-17 10:05:03 192.0.2.7")


def docker(text: str, stream: str = "stdout") -> bytes:
    return json.dumps({"log": text, "stream": stream, "time": "2026-05-17T10:05:03.1Z"}).encode()


def cri(text: str, tag: str = "F", stream: str = "stdout") -> bytes:
    return f"2026-05-17T10:05:03.1Z {stream} {tag} {text}".encode()


LINE = "192.0.2.7 - - " + REST.decode()


@pytest.mark.parametrize(
    ("wrapping", "pieces"),
    [
        (Wrapping.DOCKER, [docker(LINE + "\n")]),
        (Wrapping.DOCKER, [docker(LINE[:9]), docker("x", "stderr"), docker(LINE[9:] + "\r\n")]),
        (Wrapping.CRI, [cri(LINE)]),
        (Wrapping.CRI, [cri(LINE[:9], "P"), cri("x", "P", "stderr"), cri(LINE[9:])]),
    ],
)
def test_line_of_a_container_is_that_of_the_program(
    wrapping: Wrapping, pieces: Sequence[bytes]
) -> None:
    log = format_of("combined", wrapping)
    for piece in pieces[:-1]:
        with pytest.raises(NoRecordError):
            log.parse(piece)

    record = log.parse(pieces[-1])

    assert ("192.0.2.7", "curl/8.5.0", "2026-05-17T10:05:03.1Z") == fields(
        record, "remote_host", "user_agent", "container_time"
    )
    assert set(record) == set(log.fields or ())


def test_json_of_a_container_is_that_of_the_program() -> None:
    log = format_of("jsonl", Wrapping.DOCKER)

    assert {"tenant": "a", "container_time": "2026-05-17T10:05:03.1Z"} == log.parse(
        docker('{"tenant": "a"}\n')
    )


@pytest.mark.parametrize(
    ("wrapping", "line"),
    [
        (Wrapping.DOCKER, LINE.encode()),
        (Wrapping.DOCKER, b'{"log": 1}'),
        (Wrapping.DOCKER, b'{"log": "\xff"}'),
        (Wrapping.DOCKER, b'{"x": ' + b"[" * 50_000),
        (Wrapping.DOCKER, docker("piece", "other")),
        (Wrapping.CRI, LINE.encode()),
        (Wrapping.CRI, b"2026-05-17T10:05:03Z stdout X text"),
    ],
)
def test_line_that_is_not_of_the_container_runtime_is_refused(
    wrapping: Wrapping, line: bytes
) -> None:
    with pytest.raises(LineError) as caught:
        format_of("combined", wrapping).parse(line)

    assert not isinstance(caught.value, NoRecordError)


def test_pieces_of_a_line_without_end_do_not_fill_the_memory() -> None:
    parse = format_of("combined", Wrapping.CRI).parse
    piece = cri("x" * (LINE_BYTES_MAX // 2 + 1), "P")

    with pytest.raises(NoRecordError):
        parse(piece)
    with pytest.raises(LineError, match=r"^too long$"):
        parse(piece)


def test_template_takes_items_of_lists() -> None:
    record = {"groups": ["a", {"id": 7}], "empty": []}

    assert "a-7" == Template("{groups.0}-{groups.1.id}").render(record)
    for missing in ("groups.2", "groups.-1", "groups.x", "groups.99999999999", "empty.0"):
        with pytest.raises(MissingField):
            Template(f"{{{missing}}}").render(record)


SCALED = {"seconds": 3, "credits": 2}


@pytest.mark.parametrize(
    ("feature", "text", "quantity"),
    [
        ("seconds", "0.123", 123),
        ("seconds", "1", 1000),
        ("seconds", "12.5", 12_500),
        ("seconds", "0.000", 0),
        ("seconds", "-", 0),
        ("seconds", "-1.5", -1500),
        ("seconds", "1e-3", 1),
        ("credits", "0.29", 29),
        ("credits", "9999999999999.99", 999_999_999_999_999),
        ("calls", "7", 7),
        ("calls", "7.0", 7),
    ],
)
def test_quantity_is_scaled_exactly_by_the_decimals_of_its_feature(
    feature: str, text: str, quantity: int
) -> None:
    plan = LineTemplates(format_of("{c} {q}"), "{c}", feature, "{q}")
    plan.decimals = SCALED

    assert quantity == plan.request(f"a {text}".encode()).quantity


@pytest.mark.parametrize(
    ("feature", "text", "why"),
    [
        ("seconds", "0.1234", "quantity '0.1234' has more than 3 decimals"),
        ("calls", "0.123", "quantity '0.123' is not a whole number"),
        ("calls", "x", "quantity 'x' is not a number"),
        ("calls", "nan", "quantity 'nan' is not a number of a size to count"),
        ("calls", "-inf", "quantity '-inf' is not a number of a size to count"),
        ("calls", "1e999999", "quantity '1e999999' is not a number of a size to count"),
        ("calls", "0." + "1" * 90, f"quantity '0.{'1' * 38}' is not a number of a size to count"),
        ("credits", "10000000000000.01", "quantity 10000000000000.01 is beyond 10000000000000"),
    ],
)
def test_quantity_that_cannot_be_scaled_is_the_lines_problem(
    feature: str, text: str, why: str
) -> None:
    plan = LineTemplates(format_of("{c} {q}"), "{c}", feature, "{q}")
    plan.decimals = SCALED

    with pytest.raises(LineError) as caught:
        plan.request(f"a {text}".encode())

    assert why == str(caught.value)
