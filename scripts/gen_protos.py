"""Regenerate quotad/v1 from protos/quotad/v1. The output is checked in; a test compares it."""

import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent


def generate(output: Path) -> None:
    """Write the generated modules below `output`, as `quotad/v1/*_pb2*.py(i)`."""
    protos = ROOT / "protos"
    sources = sorted(str(path) for path in protos.glob("quotad/v1/*.proto"))
    include = Path(protoc.__file__).parent / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{protos}",
            f"-I{include}",
            f"--python_out={output}",
            f"--pyi_out={output}",
            f"--grpc_python_out={output}",
            *sources,
        ]
    )
    if code != 0:
        sys.exit(code)


if __name__ == "__main__":
    generate(ROOT)
