"""Two servers on one store, which loses answers, loses requests, and runs some of them too late."""

import random
import re
from collections.abc import Callable
from typing import Any, TypeVar

from quotad.engine import Engine
from quotad.errors import StoreUnavailable
from quotad.store import Link
from quotad.store.scripts import Script
from tests.deciding import Bench
from tests.integration.verbs.plans import CATALOG

Answer = TypeVar("Answer")

LOST, UNSENT, LATE = 0.06, 0.10, 0.15
"""Of the script calls up to the first an answer is lost, up to the second the call itself, and
up to the third it comes to the store when its time is over."""

TOO_LATE = -5
LONG_AGO_MS = 1


class Losing:
    """A link whose calls get lost now and then."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.luck: random.Random | None = None
        """None: nothing is lost."""

    def run(self, script: Script, words: Any, deadline: float) -> Any:
        drawn = 1.0 if self.luck is None else self.luck.random()
        if drawn < LOST:
            self._link.run(script, words, deadline)
        elif LATE > drawn >= UNSENT:
            late = when_it_is_too_late(script, words)
            if late is not None:
                answer = self._link.run(script, late, deadline)
                assert TOO_LATE in (answer, answer[0] if isinstance(answer, list) else None)
        elif drawn >= LATE:
            return self._link.run(script, words, deadline)
        raise StoreUnavailable("lost")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)


def when_it_is_too_late(script: Script, words: Any) -> list[Any] | None:
    """The same call whose time was over long ago; None: one that has no such time."""
    found = re.search(r"^-- ARGV\[(\d+)\] not_after", script.text, re.MULTILINE)
    if found is None:
        return None
    late, place = list(words), words[0] + int(found[1])
    if late[place]:
        late[place] = LONG_AGO_MS
        return late
    return None


class Server:
    """One server, with views, notes and connections of its own."""

    def __init__(self, url: str, prefix: str) -> None:
        self.bench = Bench(url, prefix, "2031-01-15 12:00")
        self.link = Losing(self.bench.store.connect())
        self.engine = Engine(self.bench.shared, self.link)

    def close(self) -> None:
        self.engine.close()
        self.bench.close()


class Servers:
    """Servers that a caller asks in turns until one answers."""

    def __init__(self, url: str, prefix: str) -> None:
        self.all = [Server(url, prefix) for _ in range(2)]
        self.clock = self.all[0].bench.clock
        self.all[0].bench.publish(CATALOG)
        for each in self.all:
            each.bench.shared.snapshots.refresh(None)

    def close(self) -> None:
        for each in self.all:
            each.close()

    def advance(self, ms: int) -> None:
        """Let time pass for all of them."""
        for each in self.all:
            each.bench.clock.now += ms

    def look(self) -> None:
        """What every server does each second: it learns that there are holds."""
        for each in self.all:
            each.bench.shared.holds.look()

    def answered(self, luck: int, ask: Callable[[Engine], Answer]) -> Answer:
        """What is answered; luck 0: by the first server at once."""
        drawn = random.Random(luck)
        for each in self.all:
            each.link.luck = drawn if luck else None
        try:
            while True:
                server = drawn.choice(self.all) if luck else self.all[0]
                try:
                    answer = ask(server.engine)
                except StoreUnavailable as lost:
                    answer = lost  # type: ignore[assignment]
                if not isinstance(answer, StoreUnavailable):
                    return answer
                assert server.bench.health.probe()
        finally:
            for each in self.all:
                each.link.luck = None
