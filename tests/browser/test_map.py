"""The map as a person uses it: headless Chromium, network off, console empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from map_run import add_map
from sample_run import write_run

import reports


@pytest.fixture
def page(tmp_path: Path, make_rows: Callable[..., pl.DataFrame], visit: Callable[..., Any]) -> Any:
    """Give the report with the map open."""
    run = add_map(write_run(tmp_path / "run", make_rows))
    reports.build(run)
    page = visit(run / "report.html", width=1024).page
    page.goto(f"{page.url}#map")
    page.locator("#map-picture").scroll_into_view_if_needed()
    return page


def drag(page: Any, low: tuple[float, float], high: tuple[float, float]) -> None:
    """Drag a rectangle between two places, in shares of the picture."""
    box = page.locator("#map-picture").bounding_box()
    (x0, y0), (x1, y1) = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (low, high))
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=3)
    page.mouse.up()


def test_a_rectangle_lists_its_rows_with_the_command_that_explains_them(page: Any) -> None:
    drag(page, (0.02, 0.02), (0.3, 0.98))  # the left bundle: 20 rows of news, all kept
    assert page.locator("#map-list h5").inner_text().startswith("In the rectangle: 20 of 60 rows, 20 kept")
    assert page.locator("#map-list li").count() == 20
    assert set(page.locator("#map-list .from").all_inner_texts()) == {"news"}
    command = page.locator("#map-list li button").first.get_attribute("data-copy")
    assert command.startswith("curate explain ") and len(command.split()[-1]) == 32
    assert page.locator("#map-points use.in").count() == 20


def test_the_choice_of_a_column_colours_the_points(page: Any) -> None:
    def kinds() -> dict[str, int]:
        names = page.locator("#map-points use").evaluate_all("all => all.map(one => one.getAttribute('class'))")
        return {name: names.count(name) for name in names}

    assert kinds() == {"k0": 20, "k1": 20, "k2": 10, "k3": 10}
    page.select_option("#map-mode", "verdict")
    assert kinds() == {"k0": 38, "k1": 15, "k2": 5, "k3": 1, "k4": 1}
    assert page.locator(".map-legend:visible").inner_text().split("\n")[0].startswith("kept")
    hrefs = page.locator("#map-points use").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert hrefs.count("#mark-1") == 15


def test_a_cluster_is_chosen_and_left_by_keyboard(page: Any) -> None:
    page.locator("[data-list=cluster]").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator("#map-list h5").inner_text().startswith("Cluster 2: 20 of 60 rows, 11 kept")
    page.keyboard.press("Escape")
    assert page.locator("#map-list").inner_text() == "" and page.locator("#map-points use.in").count() == 0


def test_a_colour_of_the_legend_lists_its_rows_as_text(page: Any) -> None:
    page.locator(".map-legend:visible button", has_text="chat").click()
    assert page.locator("#map-list li").count() == 10
    assert "<script>alert(1)</script>" in page.locator("#map-list").inner_text()
    assert page.locator("#map-list script").count() == 0


def test_the_picture_is_there_without_scripts_and_fits_a_phone(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    box = page.locator("#map-picture").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
