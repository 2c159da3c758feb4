"""The examples of docs/typescript.md are compiled with the strictest settings and run."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quotad.client.admin import AdminClient, CatalogFile
from quotad.server.example import write_example_customers
from quotad.store import Store
from tests.clients.node import CLIENT, needs_client
from tests.docs.pages import blocks
from tests.processes import DEADLINE_S, EXAMPLES, ROOT
from tests.running import running

pytestmark = needs_client

SETTINGS = {
    "strict": True,
    "exactOptionalPropertyTypes": True,
    "noImplicitOverride": True,
    "noImplicitReturns": True,
    "noPropertyAccessFromIndexSignature": True,
    "noUncheckedIndexedAccess": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "skipLibCheck": False,
    "target": "ES2022",
    "lib": ["ES2022"],
    "module": "NodeNext",
    "types": ["node"],
}


@pytest.fixture(scope="module")
def address(store_url: str) -> Iterator[str]:
    """A server on the example catalog and its customers."""
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        files = [CatalogFile(each.name, each.read_text()) for each in sorted(EXAMPLES.iterdir())]
        with AdminClient(made.server.address, timeout=20) as admin:
            admin.publish(files)
        made.wait_ready()
        with closing(Store(store_url, timeout_ms=5000)) as store:
            write_example_customers(store, made.keys)
        yield made.server.address


def project(folder: Path) -> None:
    """A project that has the client, as `npm install` of the folder makes it."""
    for name in ("@quotad/client", "@types/node"):
        link = folder / "node_modules" / name
        link.parent.mkdir(parents=True)
        link.symlink_to(CLIENT if name == "@quotad/client" else CLIENT / "node_modules" / name)
    (folder / "package.json").write_text(json.dumps({"type": "module"}))
    settings = {"compilerOptions": SETTINGS, "include": ["*.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(settings))


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["node", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    # What `console.assert` finds wrong goes to stderr, and does not end the program.
    assert (0, "") == (done.returncode, done.stderr), done.stdout + done.stderr
    return done.stdout


def test_the_examples_of_the_page_run_and_are_typed(address: str, tmp_path: Path) -> None:
    project(tmp_path)
    found = [block for block in blocks(ROOT / "docs" / "typescript.md") if block.info == "ts"]
    text = "\n".join(block.text for block in found)
    assert "127.0.0.1:50051" in text
    (tmp_path / "page.ts").write_text(text.replace("127.0.0.1:50051", address))

    run(tmp_path, str(CLIENT / "node_modules" / "typescript" / "bin" / "tsc"))
    printed = run(tmp_path, "page.js")

    assert printed.startswith("99 of 100 calls left\napi-calls 99\n")
    assert printed.endswith("allowed\nallowed\ntrue\n")
