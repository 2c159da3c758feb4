"""What Linux says of processes: CPU time, by process and by thread, and memory."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

FRONT_THREADS = ("grpc-native-io", "quotad-front-io")
"""Names of the threads of fronts that are not Python; the kernel keeps 15 characters."""
IO_THREADS = (*FRONT_THREADS, "event_engine", "grpc_global_tim", "lifeguard")
"""Names of threads that move bytes and nothing else."""
DECIDERS = ("quotad-decider-", "reference")
"""Names of threads that decide, where somebody has named them (`launcher`)."""


class Cpu(msgspec.Struct, frozen=True):
    """CPU time of a server so far, in seconds."""

    whole: float
    front: float
    """Of that, what moves bytes: not the threads that decide."""

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.whole - other.whole, self.front - other.front)


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for parent in found:  # grows while it is walked
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in path.read_text().split()]
            except OSError:  # it ended meanwhile
                continue
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Of some processes alone, in seconds."""
    return sum(_ticks(Path(f"/proc/{pid}/stat"))[1] for pid in pids) / TICKS


def cpu_each(pid: int) -> dict[int, float]:
    """Of a process and each of its descendants, in seconds."""
    return {one: cpu_s([one]) for one in tree(pid)}


def spent_s(before: dict[int, float], after: dict[int, float]) -> float:
    """What processes have spent between two looks; of one that has ended meanwhile nothing."""
    return sum(max(0.0, spent - before.get(pid, 0.0)) for pid, spent in after.items())


def cpu(pid: int) -> Cpu:
    """Of a process and all its descendants."""
    whole = front = 0
    for one in tree(pid):
        whole += _ticks(Path(f"/proc/{one}/stat"))[1]
        front += _front_ticks(one)
    return Cpu(whole / TICKS, front / TICKS)


def _front_ticks(pid: int) -> int:
    """Of the threads that move bytes, by their names.

    Threads of fronts in Rust are named. Where there are none, everything but the deciders is
    taken for the front: in Python, most of a grpcio server is moving bytes.
    """
    threads = [_ticks(path) for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    if any(name in FRONT_THREADS for name, _ in threads):
        return sum(ticks for name, ticks in threads if name in IO_THREADS)
    return sum(ticks for name, ticks in threads if not name.startswith(DECIDERS))


def _ticks(path: Path) -> tuple[str, int]:
    """Name and CPU time of what a stat file is about; nothing when it has ended."""
    try:
        before, _, after = path.read_text().rpartition(")")
    except OSError:
        return "", 0
    fields = after.split()
    return before.partition("(")[2], int(fields[11]) + int(fields[12])


def rss_bytes(pid: int) -> int:
    """Memory of one process that is in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def busy_s() -> float:
    """CPU time that all cores together have spent on anything."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    user, nice, system, _idle, _wait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) / TICKS


def name_thread(thread_id: int, name: str) -> None:
    """Give a thread of this process a name that others can see."""
    Path(f"/proc/self/task/{thread_id}/comm").write_text(name[:15])
