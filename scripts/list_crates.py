"""Write front/crates.txt: the crates that the fast front is built of, with their licences.

python scripts/list_crates.py      (needs cargo)
"""

import json
import subprocess
from pathlib import Path

FRONT = Path(__file__).parent.parent / "front"
COMMAND = ["cargo", "metadata", "--format-version", "1", "--locked"]


def main() -> None:
    """Ask cargo, write the list."""
    done = subprocess.run(COMMAND, cwd=FRONT, capture_output=True, text=True, check=True)
    packages = json.loads(done.stdout)["packages"]
    lines = [
        f"{package['name']} {package['version']} {package['license']}\n"
        for package in sorted(packages, key=lambda each: (each["name"], each["version"]))
        if package["source"] is not None  # not our own
    ]
    (FRONT / "crates.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
