"""The Lua scripts: read once, known by their SHA-1, loaded when the store does not know them.

Scripts live in the top-level folder `lua/`; a wheel carries it as `quotad/lua`.
"""

import hashlib
from functools import cache
from pathlib import Path

import msgspec


class Script(msgspec.Struct, frozen=True):
    """One Lua script."""

    name: str
    text: str
    sha: str
    """What EVALSHA wants."""


def _folder() -> Path:
    package = Path(__file__).resolve().parent.parent
    installed = package / "lua"
    return installed if installed.is_dir() else package.parent / "lua"


@cache
def load(name: str) -> Script:
    """Read `lua/<name>.lua`."""
    text = (_folder() / f"{name}.lua").read_text(encoding="utf-8")
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
