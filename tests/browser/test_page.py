"""The page as a reader uses it: every control clicked, at every width, in light, dark and print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCHEMES = ("light", "dark")
WIDTHS = (1280, 1024, 390)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(visit: Callable[..., Any], report: Path, width: int, scheme: str) -> None:
    seen = visit(report, width=width, scheme=scheme)
    assert seen.overflow() <= 0
    seen.open_all()
    assert seen.overflow() <= 0
