"""Regenerate quotad/v1 from protos/quotad/v1. The output is checked in; a test compares it.

`gen_protos.py typescript` writes what the TypeScript client is built with, after `npm ci` there.
"""

import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
TYPESCRIPT = ROOT / "clients" / "typescript"


def generate(output: Path) -> None:
    """Write the generated modules below `output`, as `quotad/v1/*_pb2*.py(i)`."""
    _run(f"--python_out={output}", f"--pyi_out={output}", f"--grpc_python_out={output}")


def generate_typescript(output: Path) -> None:
    """Write the generated modules below `output`, as `quotad/v1/*_pb.ts`."""
    output.mkdir(parents=True, exist_ok=True)
    plugin = TYPESCRIPT / "node_modules" / ".bin" / "protoc-gen-es"
    _run(
        f"--plugin=protoc-gen-es={plugin}",
        f"--es_out={output}",
        "--es_opt=target=ts,import_extension=js",
    )


def _run(*outputs: str) -> None:
    protos = ROOT / "protos"
    sources = sorted(str(path) for path in protos.glob("quotad/v1/*.proto"))
    include = Path(protoc.__file__).parent / "_proto"
    code = protoc.main(["protoc", f"-I{protos}", f"-I{include}", *outputs, *sources])
    if code != 0:
        sys.exit(code)


if __name__ == "__main__":
    if sys.argv[1:] == ["typescript"]:
        generate_typescript(TYPESCRIPT / "src" / "gen")
    else:
        generate(ROOT)
