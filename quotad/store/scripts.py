"""The Lua scripts: read once, known by their SHA-1, loaded when the store does not know them.

Scripts live in the top-level folder `lua/`; a wheel carries it as `quotad/lua`. A line
`-- @include "name"` stands for `lua/include/name.lua`, one function that several scripts call, and
`-- @body "name"` for the code of the script `name`, in a function that is given its KEYS and ARGV.
"""

import hashlib
import re
from functools import cache
from pathlib import Path

import msgspec

_INCLUDE = re.compile(r'^-- @include "(\w+)"$', re.MULTILINE)
_BODY = re.compile(r'^-- @body "(\w+)"$', re.MULTILINE)
_HEADER = re.compile(r"(--.*\n)*")


class Script(msgspec.Struct, frozen=True):
    """One Lua script."""

    name: str
    text: str
    sha: str
    """For EVALSHA."""


def _folder() -> Path:
    package = Path(__file__).resolve().parent.parent
    installed = package / "lua"
    return installed if installed.is_dir() else package.parent / "lua"


def expand(path: Path, done: set[str] | None = None) -> str:
    """Read a script with what it includes in place, each file once, so a circle does no harm."""
    seen = set() if done is None else done

    def included(line: re.Match[str]) -> str:
        name = line[1]
        if name in seen:
            return ""
        seen.add(name)
        return expand(_folder() / "include" / f"{name}.lua", seen).rstrip("\n")

    text = _BODY.sub(lambda line: body(line[1]), path.read_text(encoding="utf-8"))
    return _INCLUDE.sub(included, text)


def body(name: str) -> str:
    """The code of a script, for one that has it as a function."""
    text = expand(_folder() / f"{name}.lua")
    return _HEADER.sub("", text, count=1).rstrip("\n")


@cache
def load(name: str) -> Script:
    """Read `lua/<name>.lua`."""
    text = expand(_folder() / f"{name}.lua")
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
