"""Commands of a cluster go where servers send them, and never for ever."""

from typing import Any

import pytest

from quotad.errors import StoreUnavailable
from quotad.store import Store
from quotad.store.exchange import ROUNDS_MAX
from quotad.store.refusals import ErrorReply


def test_servers_that_send_a_command_to_and_fro_are_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.whole:
        return
    router: Any = store._router
    sent: list[int] = []
    first, second, _ = [node.address for node in router.nodes]

    def send(groups: Any, _: float) -> Any:
        sent.append(1)
        other = {first.port: second, second.port: first}
        return {
            node: [ErrorReply(f"MOVED 0 {first.host}:{other.get(node.address.port, first).port}")]
            for node in groups
        }

    monkeypatch.setattr("quotad.store.cluster._in_turn", send)
    with pytest.raises(StoreUnavailable, match="no server of the cluster has"):
        store.execute("GET", "q:{ba}:x")

    assert ROUNDS_MAX < len(sent) < 2 * ROUNDS_MAX
