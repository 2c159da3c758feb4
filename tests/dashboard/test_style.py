"""Colours of the one stylesheet are readable in both themes, by the rules of WCAG 2.2 (AA)."""

import re
from pathlib import Path

import pytest

SHEET = (Path(__file__).parents[2] / "quotad" / "dashboard" / "static" / "style.css").read_text()

TEXT, SHAPE = 4.5, 3.0
"""Least contrast of text, and of what shows where a field is or has the focus."""

PAIRS = {
    **{("ink", ground): TEXT for ground in ("bg", "panel", "sunk", "accent-soft", "warn-soft")},
    **{("soft", ground): TEXT for ground in ("bg", "panel", "sunk", "warn-soft")},
    **{("accent", ground): TEXT for ground in ("bg", "panel", "accent-soft")},
    ("on-accent", "accent"): TEXT,
    **{("warn", ground): TEXT for ground in ("warn-soft", "panel")},
    **{("bad", ground): TEXT for ground in ("bad-soft", "panel", "bg")},
    **{("edge", ground): SHAPE for ground in ("panel", "bg")},
}


def colours() -> dict[str, tuple[str, str]]:
    """Each variable of the sheet that is a colour: in the light theme and in the dark one."""
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", SHEET)
    return {name: (light, dark) for name, light, dark in found}


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Between 1, none, and 21, black on white."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("pair", PAIRS, ids=" on ".join)
def test_what_is_written_can_be_read(pair: tuple[str, str], theme: int) -> None:
    ink, ground = (colours()[name][theme] for name in pair)

    assert contrast(ink, ground) >= PAIRS[pair]


def test_contrast_is_that_of_the_standard() -> None:
    assert 21 == pytest.approx(contrast("#000000", "#ffffff"))
    assert 4.54 == pytest.approx(contrast("#767676", "#ffffff"), abs=0.01)


def test_every_colour_is_one_of_the_variables() -> None:
    rules = SHEET.partition("*, *::before")[2]

    assert [] == re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{}]*[;}])", rules)
