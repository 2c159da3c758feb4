"""Worker processes that are held at a share of a core."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from loadtests.bench import shares
from loadtests.bench.cases import groups


def made() -> set[str]:
    return {path.name for root in shares.ROOTS for path in root.glob("quotad-bench-*")}


@pytest.mark.skipif(not shares.is_possible(), reason=shares.MISSING)
def test_each_process_gets_a_group_of_its_own_that_is_gone_when_it_has_ended() -> None:
    with ExitStack() as after, subprocess.Popen(["sleep", "60"]) as sleeper:
        after.enter_context(shares.held([sleeper.pid], 0.25))
        name = f"quotad-bench-{sleeper.pid}"
        assert name in made()
        assert f"/{name}\n" in Path(f"/proc/{sleeper.pid}/cgroup").read_text()
        sleeper.kill()
    assert name not in made()


def test_without_the_rights_the_group_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "ROOTS", ())
    assert "shares" not in [group.name for group in groups()]
    with pytest.raises(OSError, match="control groups"), shares.held([1], 0.3):
        pass
