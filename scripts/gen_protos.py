"""Regenerate quotad/v1 from protos/quotad/v1. The output is checked in; a test compares it.

`gen_protos.py typescript` writes what the TypeScript client is built with, after `npm ci` there,
and `gen_protos.py go` what the example in Go is.
"""

import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
TYPESCRIPT = ROOT / "clients" / "typescript"
GO = ROOT / "examples" / "go"


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


def generate_go(output: Path) -> None:
    """Write the generated package below the module at `output`, as `quotadv1`."""
    plugins = ROOT / ".venv" / "go"
    module = "quotad.example"
    options = [f"module={module}", f"Mquotad/v1/quota.proto={module}/quotadv1"]
    _run(
        *(f"--plugin=protoc-gen-{name}={plugins}/protoc-gen-{name}" for name in ("go", "go-grpc")),
        *(f"--{name}_out={output}" for name in ("go", "go-grpc")),
        *(f"--{name}_opt={option}" for name in ("go", "go-grpc") for option in options),
        files="quotad/v1/quota.proto",
    )


def _run(*outputs: str, files: str = "quotad/v1/*.proto") -> None:
    protos = ROOT / "protos"
    sources = sorted(str(path) for path in protos.glob(files))
    include = Path(protoc.__file__).parent / "_proto"
    code = protoc.main(["protoc", f"-I{protos}", f"-I{include}", *outputs, *sources])
    if code != 0:
        sys.exit(code)


if __name__ == "__main__":
    if sys.argv[1:] == ["typescript"]:
        generate_typescript(TYPESCRIPT / "src" / "gen")
    elif sys.argv[1:] == ["go"]:
        generate_go(GO)
    else:
        generate(ROOT)
