"""What browsers load of others is what their packages have."""

import hashlib
import json
from importlib.resources import files
from pathlib import Path

STATIC = Path(str(files("quotad.dashboard"))) / "static"


def test_every_vendored_file_has_the_hash_of_the_manifest_and_there_is_no_other() -> None:
    manifest = json.loads((STATIC / "vendored.json").read_text())
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (STATIC / "vendor").iterdir()
    }

    assert {name: entry["sha256"] for name, entry in manifest.items()} == found
    assert {"MIT", "0BSD"} == {entry["licence"] for entry in manifest.values()}
