"""Forms with a file, as they arrive; in no module with a browser, whose event loop stays open."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from quotad.dashboard import uploads
from quotad.dashboard.uploads import FormParts
from quotad.errors import InvalidRequest
from quotad.http.problems import HttpRefusal


def test_a_form_with_a_file_is_read_however_it_arrives() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
        b'--b\r\nContent-Disposition: form-data; name="log"; filename="x.log"\r\n'
        b"Content-Type: text/plain\r\n\r\none\r\n--x\r\ntwo\r\n"
        b'--b\r\nContent-Disposition: form-data; name="z"\r\n\r\n\xc3\xa9\r\n--b--\r\n'
    )
    for size in (1, 2, 3, 7, 20, len(body)):
        parts = FormParts(b"b", 100)
        file = b"".join(parts.feed(body[i : i + size]) for i in range(0, len(body), size))

        assert b"one\r\n--x\r\ntwo" == file
        assert (("a", ""), ("z", "\xe9")) == parts.fields.fields
        assert ("x.log", len(file), True) == (parts.file_name, parts.size, parts.ended)
    with pytest.raises(HttpRefusal, match="larger than"):
        FormParts(b"b", 5).feed(body)
    ended = FormParts(b"b", 100)
    ended.feed(body)
    with pytest.raises(HttpRefusal, match="larger than"):
        ended.feed(b"x" * 200_000)
    for wrong in (
        b"--b\r\n\r\n\r\nx\r\n--b--",
        b"--bad",
        body.replace(b'"a"', b'"a"; x="' + b"x" * 70_000),
    ):
        with pytest.raises(InvalidRequest):
            FormParts(b"b", 100).feed(wrong)


async def test_a_form_that_trickles_in_is_ended_after_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SECONDS_MAX", 0.05)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b"--b", "more_body": True}

    async def in_thread(made: Any, *values: Any) -> Any:
        return made(*values)

    with pytest.raises(HttpRefusal, match="has not arrived within") as refused:
        await uploads.read_upload(
            receive, "multipart/form-data; boundary=b", 10**9, tmp_path / "log", in_thread
        )
    assert 408 == refused.value.http_status
