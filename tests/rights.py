"""What a user of a store may do, as docs/operating.md has it."""

import re
from pathlib import Path

_PAGE = Path(__file__).parents[1] / "docs" / "operating.md"

ON_A_CLUSTER = "On a [cluster](cluster.md) also"
BEHIND_SENTINELS = "behind Sentinels also"
AT_SENTINELS = "the Sentinels' own user needs"


def rights(prefix: str, more: str = "") -> str:
    """The rules of `ACL SETUSER` for a user of a store.

    Args:
        prefix: what its keys start with.
        more: what stands in front of further rules in the docs.
    """
    (rules,) = re.findall("ACL SETUSER quotad on >PASSWORD (.*)", _PAGE.read_text())
    return f"{rules.replace('quotad:', prefix)} {rules_of(more) if more else ''}"


def rules_of(words: str) -> str:
    """The rules that stand behind some words of the docs."""
    (found,) = re.findall(re.escape(words) + r"\s+`([^`]*)`", _PAGE.read_text())
    return str(found)
