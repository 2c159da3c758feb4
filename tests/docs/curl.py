"""What `curl` does with the flags that the docs use, so that no machine needs it."""

import http.client
import json
import shlex
from typing import Any
from urllib.parse import urlsplit

from tests.processes import DEADLINE_S


def curl(line: str) -> Any:
    """Run a line of the docs; returns the body of the answer, read where it is JSON."""
    words = iter(shlex.split(line)[1:])
    method, body, url = "", None, ""
    headers: dict[str, str] = {}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-d":
            body = next(words).encode()
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif word == "-H":
            name, _, value = next(words).partition(":")
            headers[name] = value.strip()
        else:
            assert word.startswith("http://"), f"{word} is not known here: {line}"
            url = word
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.netloc, timeout=DEADLINE_S)
    try:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        link.request(method or ("GET" if body is None else "POST"), path, body, headers)
        answer = link.getresponse()
        text = answer.read().decode()
    finally:
        link.close()
    return json.loads(text) if "json" in answer.headers.get("content-type", "") else text
