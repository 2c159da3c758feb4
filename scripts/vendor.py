"""Fetch what the dashboard's pages load, by the versions in its manifests.

    make vendor

Single files are taken from npm packages as they are: change a version in
`quotad/dashboard/static/vendored.json` and run it; files and hashes follow. The editor is a bundle
of several packages, those of `scripts/editor/package-lock.json`. Needs npm; nothing else in this
repository does.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

STATIC = Path(__file__).parents[1] / "quotad" / "dashboard" / "static"
MANIFEST = STATIC / "vendored.json"
EDITOR = Path(__file__).parent / "editor"

BUNDLE, LICENCES = "codemirror.min.js", "codemirror-LICENSE.txt"


def main() -> None:
    """Fetch or bundle every file of the manifest and write its hash there."""
    manifest = json.loads(MANIFEST.read_text())
    with tempfile.TemporaryDirectory() as directory:
        for name, entry in manifest.items():
            if "package" not in entry:
                continue
            content = _fetched(f"{entry['package']}@{entry['version']}", entry["path"], directory)
            _write(name, content, entry)
        _bundle(manifest, Path(directory) / "editor")
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")


def _write(name: str, content: bytes, entry: dict[str, Any]) -> None:
    (STATIC / "vendor" / name).write_bytes(content)
    entry["sha256"] = hashlib.sha256(content).hexdigest()


def _fetched(package: str, path: str, directory: str) -> bytes:
    command = ["npm", "pack", "--silent", "--pack-destination", directory, package]
    packed = subprocess.run(command, check=True, capture_output=True, text=True)
    with tarfile.open(Path(directory) / packed.stdout.split()[-1]) as archive:
        file = archive.extractfile(f"package/{path}")
        assert file is not None, f"{package} has no file {path}"
        return file.read()


def _bundle(manifest: dict[str, Any], folder: Path) -> None:
    """Bundle the editor from exactly the packages of its lock file."""
    shutil.copytree(EDITOR, folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "ci", "--silent", "--no-audit"], check=True, cwd=folder)
    made, about = folder / "made.js", folder / "made.json"
    command = ["node_modules/.bin/esbuild", "parts.js", "--bundle", "--minify", "--format=iife"]
    command += ["--global-name=CodeMirror", "--target=es2022", "--legal-comments=none"]
    command += [f"--outfile={made.name}", f"--metafile={about.name}"]
    subprocess.run(command, check=True, cwd=folder)
    output = json.loads(about.read_text())["outputs"][made.name]["inputs"]
    used = sorted({_package(path) for path, each in output.items() if each["bytesInOutput"]})
    packages, texts = {}, []
    for name in filter(None, used):
        about_it = json.loads((folder / "node_modules" / name / "package.json").read_text())
        packages[name] = {"version": about_it["version"], "licence": about_it["license"]}
        licence = (folder / "node_modules" / name / "LICENSE").read_text().strip()
        texts.append(f"{name} {about_it['version']}\n\n{licence}\n")
    licences = sorted({each["licence"] for each in packages.values()})
    entry = {"bundle": packages, "licence": " AND ".join(licences)}
    for name, content in ((BUNDLE, made.read_bytes()), (LICENCES, "\n\n".join(texts).encode())):
        manifest[name] = dict(entry) if name == BUNDLE else {"licence": entry["licence"]}
        _write(name, content, manifest[name])


def _package(path: str) -> str:
    """The package that a file is of; empty: it is ours."""
    if not path.startswith("node_modules/"):
        return ""
    first, second, *_ = path.removeprefix("node_modules/").split("/")
    return f"{first}/{second}" if first.startswith("@") else first


if __name__ == "__main__":
    main()
