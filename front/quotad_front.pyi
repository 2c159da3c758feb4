"""What the extension offers; `quotad.fronts.fast` is its only user."""

from collections.abc import Callable, Sequence
from typing import Any

from quotad.errors import QuotadError
from quotad.fronts.interface import Answer, Call

INTERFACE: int
__version__: str

class Front:
    """Listens from its creation on, accepts connections from `start` on."""

    def __init__(
        self,
        target: str,
        settings: dict[str, Any],
        call: type[Call],
        describe: Callable[[QuotadError], tuple[int, str, list[tuple[str, str]]]],
    ) -> None: ...
    @property
    def port(self) -> int: ...
    def start(self) -> None: ...
    def recv_batch(self, calls_max: int) -> list[Call] | None: ...
    def answer(self, answers: Sequence[Answer]) -> None: ...
    def drain(self) -> None: ...
    def close(self, grace_s: float) -> None: ...
    def counters(self) -> dict[str, int]: ...

def fail_on_purpose() -> None: ...
