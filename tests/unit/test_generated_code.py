import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _generator() -> object:
    spec = importlib.util.spec_from_file_location("gen_protos", ROOT / "scripts" / "gen_protos.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_checked_in_code_is_what_the_protos_generate(tmp_path: Path) -> None:
    _generator().generate(tmp_path)  # type: ignore[attr-defined]

    generated = sorted((tmp_path / "quotad" / "v1").glob("*_pb2*"))
    assert generated
    for path in generated:
        assert path.read_text() == (ROOT / "quotad" / "v1" / path.name).read_text()
