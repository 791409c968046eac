"""Colours that everybody can read: contrasts computed from the variables of the style sheet, by WCAG 2.2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).parents[2] / "reports" / "assets" / "report.css").read_text(encoding="utf-8")
GROUNDS = ("paper", "surface", "tint")
INKS = ("ink", "soft", "muted", "good", "bad", "link", "lost-ink", "kept")


def scheme(name: str) -> dict[str, str]:
    """Return the colours of a scheme by variable."""
    light, dark, paper = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    block = {"light": light, "dark": dark, "print": paper}[name]
    changed = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))
    return changed if name != "print" else {**scheme("light"), **changed}


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_has_all_the_contrast_there_is() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("name", ["light", "dark", "print"])
def test_texts_stand_out(name: str) -> None:
    colours = scheme(name)
    grounds = GROUNDS if name != "print" else ("paper", "tint")
    weak = [
        (ink, ground, round(contrast(colours[ink], colours[ground]), 2))
        for ink in INKS
        for ground in grounds
        if contrast(colours[ink], colours[ground]) < 4.5
    ]
    assert weak == []


@pytest.mark.parametrize("name", ["light", "dark"])
def test_bars_stand_out_and_differ_in_lightness(name: str) -> None:
    colours = scheme(name)
    for bar in ("kept", "lost", "flag"):
        assert contrast(colours[bar], colours["surface"]) >= 3
    assert abs(luminance(colours["kept"]) - luminance(colours["lost"])) > 0.05  # also seen without any colour
