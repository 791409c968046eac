"""A headless Chromium without network, and pages opened in it as a reader would."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sample_run import write_run

import reports

# Debian's package, then the names of other systems. No test downloads a browser.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass
class Visit:
    """A page as a reader sees it.

    Args:
        page: of playwright.
        said: console messages, errors and dialogs, in order; none is the only good answer.
        asked: addresses of every request; the first is the page itself, and no other should be there.
    """

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open_all(self) -> None:
        """Open every fold of the page, also those inside others."""
        self.page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(width))

    def watch(self) -> None:
        """Note whatever the page says, asks for or opens."""
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _dialog(self, dialog: Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Give a headless Chromium, or skip where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium found: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Give a function that opens a file, and fail the test when a page said or asked for anything.

    The function takes the path of the file, `width` and `height` in pixels, `scheme` (light or dark), and `script`
    (False: the reader runs no JavaScript).
    """
    visits, contexts = [], []

    def opened(
        path: Path, *, width: int = 1280, height: int = 900, scheme: str = "light", script: bool = True
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=script, offline=True,
            permissions=["clipboard-read", "clipboard-write"], reduced_motion="reduce",
        )  # fmt: skip
        contexts.append(context)
        found = Visit(context.new_page())
        visits.append(found)
        found.watch()
        found.page.goto(path.absolute().as_uri())
        return found

    yield opened
    said = [message for found in visits for message in found.said]
    asked = [address for found in visits for address in found.asked[1:]]
    for context in contexts:
        context.close()
    assert said == [] and asked == []


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, make_rows: Callable[..., pl.DataFrame]) -> Path:
    """Give the page of the small run that the reports are tested on; its folder is the run directory."""
    run = write_run(tmp_path_factory.mktemp("browser") / "run", make_rows)
    reports.build(run)
    return run / "report.html"
