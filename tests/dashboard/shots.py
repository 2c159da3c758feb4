"""Pictures of pages, where somebody wants to look at them."""

import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SHOTS = os.environ.get("QUOTAD_TEST_SCREENSHOTS", "")


def shoot(page: Page, name: str) -> None:
    """Keep pictures of a page in both themes and widths, where somebody wants to look at them."""
    if not SHOTS:
        return
    for theme in ("light", "dark"):
        scheme: Any = theme
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=str(Path(SHOTS) / f"{name}-{theme}-{width}.png"), full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
