"""What browsers load of others is what their packages have."""

import hashlib
import json
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[2]
STATIC = Path(str(files("quotad.dashboard"))) / "static"


def test_every_vendored_file_has_the_hash_of_the_manifest_and_there_is_no_other() -> None:
    manifest = json.loads((STATIC / "vendored.json").read_text())
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (STATIC / "vendor").iterdir()
    }

    assert {name: entry["sha256"] for name, entry in manifest.items()} == found
    assert {"MIT", "0BSD"} == {entry["licence"] for entry in manifest.values()}


def test_the_editor_is_bundled_from_the_packages_of_its_lock_file() -> None:
    manifest = json.loads((STATIC / "vendored.json").read_text())
    lock = json.loads((ROOT / "scripts" / "editor" / "package-lock.json").read_text())
    bundled = manifest["codemirror.min.js"]["bundle"]

    locked = {name: lock["packages"][f"node_modules/{name}"] for name in bundled}
    assert {name: each["version"] for name, each in bundled.items()} == {
        name: each["version"] for name, each in locked.items()
    }
    assert all(each["integrity"].startswith("sha512-") for each in locked.values())
