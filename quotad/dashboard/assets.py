"""What browsers load beside pages: read once, under names that change with their content."""

import gzip
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from quotad.dashboard.ask import Ask, PageAnswer

_KINDS = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}

_LONG = b"public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True):
    """One file."""

    kind: bytes
    content: bytes
    zipped: bytes
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """Return all of them, by their path below `static`."""
    found = {}
    for name, file in _files(files("quotad.dashboard") / "static", ""):
        kind = _KINDS.get(name.rpartition(".")[2])
        if kind is not None:
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            found[name] = Asset(kind, content, gzip.compress(content, mtime=0), digest)
    return found


def asset_path(name: str) -> str:
    """Return where a file is served; another path once its content changes."""
    return f"/static/{assets()[name].digest}/{name}"


def serve_asset(ask: Ask) -> PageAnswer | None:
    """PageAnswer a request for a file; None: there is no such one."""
    _, _, rest = ask.path.removeprefix("/static/").partition("/")
    asset = assets().get(rest)
    if asset is None:
        return None
    headers = [(b"content-type", asset.kind), (b"vary", b"accept-encoding")]
    headers.append((b"cache-control", _LONG if asset.digest in ask.path else b"no-cache"))
    if "gzip" in ask.headers.get("accept-encoding", ""):
        return PageAnswer(asset.zipped, headers=[*headers, (b"content-encoding", b"gzip")])
    return PageAnswer(asset.content, headers=headers)


def _files(folder: Traversable, before: str) -> Iterator[tuple[str, Traversable]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _files(each, f"{before}{each.name}/")
        else:
            yield before + each.name, each
