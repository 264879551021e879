"""The colours are readable in both themes (WCAG 2.2, contrast 4.5:1 for text)."""

from __future__ import annotations

import re

import pytest

from tests.product import PROJECT

STYLES = (PROJECT / "callcenter" / "assets" / "live" / "base.css").read_text()
GROUPS = ("ready", "busy", "ringing", "acw", "unready", "logout")
PAIRS = [
    *((text, ground) for text in ("text", "minor") for ground in ("ground", "surface", "raised")),
    *((group, f"{group}-tint") for group in GROUPS),
    *((group, ground) for group in GROUPS for ground in ("surface", "raised")),
    ("minor", "logout-tint"),
    ("accent", "surface"),
    ("accent-text", "accent"),
]


def colours(selector: str) -> dict[str, str]:
    block = STYLES.partition(f"{selector} {{")[2].partition("}")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("selector", [":root", ':root[data-theme="dark"]'])
def test_text_stands_out_from_what_is_behind_it(selector: str) -> None:
    found = colours(selector)
    for text, ground in PAIRS:
        darker, lighter = sorted((luminance(found[text]), luminance(found[ground])))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, f"{text} on {ground}"


def test_the_chosen_dark_theme_is_the_systems() -> None:
    assert colours(':root[data-theme="dark"]') == colours(':root:not([data-theme="light"])')
