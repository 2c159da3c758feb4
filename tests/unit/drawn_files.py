"""Plan files as different people write them: brackets or lines, quotes, comments, blank lines."""

import json
from random import Random
from typing import Any

NAMES = ["api-calls", "seats", "sso", "no", "a.b", "x: y", "überall", "#1", "limit", "per"]
TEXTS = ["month", "29.00", "yes", "a # b", "it's", 'say "hi"', "2027-01-01", "-", "a: b", "", "é"]
PLAIN = ("api-calls", "seats", "month", "limit", "2027-01-01", "é", "überall")


def a_value(random: Random, depth: int = 3) -> Any:
    """Any value that a plan file may hold."""
    kind = random.randrange(6 if depth else 4)
    if kind == 4:
        return {name: a_value(random, depth - 1) for name in some(random, NAMES, 4)}
    if kind == 5:
        items = [a_value(random, depth - 1) for _ in range(random.randrange(4))]
        return [item for item in items if not isinstance(item, list)]  # a catalog has none
    if kind == 3:
        return random.random() < 0.5
    return random.choice(TEXTS) if kind else random.randrange(10**7)


def some(random: Random, names: list[str], most: int) -> list[str]:
    return random.sample(names, random.randrange(most + 1))


def a_catalog(random: Random) -> dict[str, Any]:
    """The top level of a plan file."""
    catalog: dict[str, Any] = {"version": 1}
    for section in ("plans", *some(random, ["features", "addons"], 2)):
        catalog[section] = {name: a_value(random) for name in (some(random, NAMES, 4) or ["seats"])}
    return catalog


class Writer:
    """Writes values as YAML, with a choice at every turn."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._comments = 0
        self._newline = random.choice(["\n", "\n", "\r\n"])
        self._step = " " * random.choice([2, 4])

    def file(self, value: dict[str, Any]) -> str:
        lines = self._lines(value, "")
        if self._chance(3):
            lines = ["---", *lines]
        text = "\n".join(lines) + ("\n" if self._chance() else "")
        return text.replace("\n", self._newline)

    def _chance(self, one_in: int = 2) -> bool:
        return self._random.randrange(one_in) == 0

    def _comment(self) -> str:
        self._comments += 1
        return f"# note {self._comments}: {{x}}"

    def _lines(self, value: Any, indent: str) -> list[str]:
        """A mapping or a list with something in it, below each other."""
        lines: list[str] = []
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in entries:
            if self._chance(5):
                lines.append(self._random.choice(["", f"{indent}{self._comment()}"]))
            head = f"{indent}{self._scalar(name)}:" if isinstance(value, dict) else f"{indent}-"
            lines += self._entry(head, item, indent)
        return lines

    def _entry(self, head: str, item: Any, indent: str) -> list[str]:
        if isinstance(item, dict | list) and item and self._chance():
            below = self._lines(item, indent + self._step)
            if head.endswith("-") and below[0].strip() and below[0].strip()[0] != "#":
                return [head + " " * (len(self._step) - 1) + below[0].lstrip(" "), *below[1:]]
            return [head + self._behind(), *below]
        if isinstance(item, dict | list) and item and self._chance(4):
            return self._open(head, item, indent)
        return [f"{head} {self._flow(item)}{self._behind()}"]

    def _open(self, head: str, item: Any, indent: str) -> list[str]:
        """Brackets over several lines."""
        inner = self._flow_parts(item)
        ends = "{}" if isinstance(item, dict) else "[]"
        deep = indent + 2 * self._step
        return [
            f"{head} {ends[0]}",
            *(f"{deep}{x},{self._behind()}" for x in inner),
            deep + ends[1],
        ]

    def _behind(self) -> str:
        return f"  {self._comment()}" if self._chance(4) else ""

    def _flow_parts(self, value: Any) -> list[str]:
        if isinstance(value, dict):
            return [f"{self._scalar(name)}: {self._flow(x)}" for name, x in value.items()]
        return [self._flow(x) for x in value]

    def _flow(self, value: Any) -> str:
        if isinstance(value, dict | list):
            ends = "{}" if isinstance(value, dict) else "[]"
            last = ", " if value and self._chance(6) else ""
            return ends[0] + ", ".join(self._flow_parts(value)) + last + ends[1]
        return self._scalar(value)

    def _scalar(self, value: Any) -> str:
        if isinstance(value, bool):
            words = ["true", "yes"] if value else ["false", "off"]
            return self._random.choice(words)
        if isinstance(value, int):
            return f"{value:_}" if self._chance() else str(value)
        if value in PLAIN and self._chance():
            return str(value)
        if self._chance():
            return "'" + str(value).replace("'", "''") + "'"
        return json.dumps(value, ensure_ascii=False)
