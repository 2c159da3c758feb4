"""Fetch what the dashboard's pages load, as npm packages have it, by the versions in the manifest.

    make vendor

Change a version in `quotad/dashboard/static/vendored.json` and run it: files and hashes follow.
Needs npm; nothing else in this repository does.
"""

import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

STATIC = Path(__file__).parents[1] / "quotad" / "dashboard" / "static"
MANIFEST = STATIC / "vendored.json"


def main() -> None:
    """Fetch every file of the manifest and write its hash there."""
    manifest = json.loads(MANIFEST.read_text())
    with tempfile.TemporaryDirectory() as directory:
        for name, entry in manifest.items():
            content = _fetched(f"{entry['package']}@{entry['version']}", entry["path"], directory)
            (STATIC / "vendor" / name).write_bytes(content)
            entry["sha256"] = hashlib.sha256(content).hexdigest()
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")


def _fetched(package: str, path: str, directory: str) -> bytes:
    command = ["npm", "pack", "--silent", "--pack-destination", directory, package]
    packed = subprocess.run(command, check=True, capture_output=True, text=True)
    with tarfile.open(Path(directory) / packed.stdout.split()[-1]) as archive:
        file = archive.extractfile(f"package/{path}")
        assert file is not None, f"{package} has no file {path}"
        return file.read()


if __name__ == "__main__":
    main()
