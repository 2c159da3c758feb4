"""The examples in TypeScript are run on the packed client, and compiled with strict settings."""

import json
import subprocess
import tarfile
import tomllib
from pathlib import Path

from tests.clients.node import CLIENT, needs_client
from tests.docs.pages import PATHS, blocks
from tests.processes import DEADLINE_S, ROOT, environment

pytestmark = needs_client

PAGES = {
    "stigg.md": (
        "true 50 0\n",
        "upgrade: NoFeatureEntitlementInSubscription\nACTIVE\n",
    ),
    "typescript.md": ("99 of 100 calls left\napi-calls 99\n", "allowed\nallowed\ntrue\n"),
}
"""What each of them prints: how it begins, and how it ends."""

SIZE_MAX = 120_000
"""Of the packed client, in bytes, as the page states."""

SETTINGS = {
    "strict": True,
    "allowUnreachableCode": False,
    "allowUnusedLabels": False,
    "exactOptionalPropertyTypes": True,
    "noImplicitOverride": True,
    "noImplicitReturns": True,
    "noPropertyAccessFromIndexSignature": True,
    "noUncheckedIndexedAccess": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "noFallthroughCasesInSwitch": True,
    "verbatimModuleSyntax": True,
    "isolatedModules": True,
    "skipLibCheck": False,
    "target": "ES2022",
    "lib": ["ES2022"],
    "module": "NodeNext",
    "types": ["node"],
}


def project(folder: Path) -> None:
    """An empty project in which the packed client was installed, as npm does it."""
    packed = ["npm", "pack", "--silent", "--pack-destination", str(folder)]
    subprocess.run(packed, cwd=CLIENT, check=True, stdout=subprocess.DEVNULL, timeout=DEADLINE_S)
    [tarball] = folder.glob("*.tgz")
    assert tarball.stat().st_size < SIZE_MAX
    modules = folder / "node_modules"
    with tarfile.open(tarball) as opened:
        opened.extractall(modules / "@quotad", filter="data")
    (modules / "@quotad" / "package").rename(modules / "@quotad" / "client")
    for name in ("@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-node"):
        link = modules / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(CLIENT / "node_modules" / name)
    (modules / "@types").mkdir()
    (modules / "@types" / "node").symlink_to(CLIENT / "node_modules" / "@types" / "node")
    (folder / "package.json").write_text(json.dumps({"type": "module"}))
    settings = {"compilerOptions": SETTINGS, "include": ["*.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(settings))


def run(folder: Path, *words: str, **variables: str) -> str:
    done = subprocess.run(
        ["node", *words],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    # What `console.assert` finds wrong goes to stderr, and does not end the program.
    assert (0, "") == (done.returncode, done.stderr), done.stdout + done.stderr
    return done.stdout


def test_the_examples_of_the_pages_run_and_are_typed(example: str, tmp_path: Path) -> None:
    project(tmp_path)
    for page in PAGES:
        found = [block.text for block in blocks(ROOT / "docs" / page) if block.info == "ts"]
        text = "\n".join(found).replace("127.0.0.1:50051", example)
        (tmp_path / page).with_suffix(".ts").write_text(text)

    run(tmp_path, str(CLIENT / "node_modules" / "typescript" / "bin" / "tsc"))

    for page, (begins, ends) in PAGES.items():
        printed = run(tmp_path, str(Path(page).with_suffix(".js")), QUOTAD_SERVER=example)
        assert (begins, ends) == (printed[: len(begins)], printed[-len(ends) :])


def test_every_page_with_examples_in_typescript_is_run() -> None:
    assert list(PAGES) == [p.name for p in PATHS if any(b.info == "ts" for b in blocks(p))]


def test_the_size_and_the_version_are_those_of_the_page_and_the_server() -> None:
    package = json.loads((CLIENT / "package.json").read_text())
    lock = json.loads((CLIENT / "package-lock.json").read_text())

    server = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert server["version"] == package["version"] == lock["version"]
    assert f"{SIZE_MAX // 1000} kB" in (ROOT / "docs" / "typescript.md").read_text()
