"""The crates of the fast front: licences that fit ours, and no advisory that we know of."""

import re
import tomllib

from tests.processes import ROOT

FRONT = ROOT / "front"
FITTING = {"Apache-2.0", "MIT", "ISC", "BSD-3-Clause", "Unicode-3.0"}


def locked() -> list[tuple[str, str]]:
    packages = tomllib.loads((FRONT / "Cargo.lock").read_text())["package"]
    return sorted((each["name"], each["version"]) for each in packages if "source" in each)


def listed() -> dict[tuple[str, str], str]:
    lines = (FRONT / "crates.txt").read_text().splitlines()
    return {(name, version): licence for name, version, licence in (x.split(" ", 2) for x in lines)}


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.split(r"[.+-]", version)[:3]]


def fits(licence: str) -> bool:
    """Whether one of the alternatives fits whole."""
    plain = re.sub(r"[()]| WITH LLVM-exception", "", licence).replace("/", " OR ")
    parts = [re.split(r"\s+OR\s+", part.strip()) for part in plain.split(" AND ")]
    return all(any(each in FITTING for each in choices) for choices in parts)


def test_the_list_of_crates_is_that_of_the_lock_file() -> None:
    """Made by scripts/list_crates.py."""
    assert locked() == sorted(listed())


def test_every_crate_has_a_licence_that_fits_ours() -> None:
    assert [] == [crate for crate, licence in listed().items() if not fits(licence)]
    assert not fits("GPL-3.0")
    assert not fits("MIT AND GPL-3.0")


def test_no_locked_crate_has_an_advisory_that_is_known_and_mended() -> None:
    lines = (FRONT / "advisories.txt").read_text().splitlines()
    advisories = [line.split() for line in lines if not line.startswith("#")]
    versions: dict[str, list[str]] = {}
    for name, version in locked():
        versions.setdefault(name, []).append(version)

    assert advisories
    assert [] == [
        (advisory, name, version)
        for advisory, name, mended in advisories
        for version in versions[name]
        if numbers(version) < numbers(mended)
    ]


def test_the_front_has_no_unsafe_code_of_its_own() -> None:
    """What PyO3 needs is in its macros."""
    sources = sorted((FRONT / "src").glob("*.rs"))

    assert sources
    assert [] == [path.name for path in sources if re.search(r"\bunsafe\b", path.read_text())]
