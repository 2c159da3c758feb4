"""An external prototype as one more reference point: batch_front.py, prototype.proto, batch.lua.

Its service is prototype.Quota/Check; the first fields of its request are those of
CheckAndConsumeRequest, and its answer starts with `allowed`.
"""

import subprocess
import sys
from pathlib import Path

from loadtests.bench.kinds import Kind

METHOD = "/prototype.Quota/Check"


def prepare(folder: Path, work: Path) -> tuple[Kind, str]:
    """Generate its messages into a folder of the benchmark's own.

    Returns:
        What to run, and the PYTHONPATH it needs.

    Raises:
        RuntimeError: a file or the generator is missing.
    """
    out = work / "prototype"
    out.mkdir()
    command_line = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--python_out={out}"]
    command_line.append(str(folder / "prototype.proto"))
    made = subprocess.run(command_line, capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(f"prototype.proto: {made.stderr.strip()} (package: grpcio-tools)")

    def command(listen: str, url: str) -> list[str]:
        port = listen.rpartition(":")[2]
        return [sys.executable, str(folder / "batch_front.py"), port, url]

    return Kind(METHOD, "prototype:*", command), str(out)
