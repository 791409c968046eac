"""The page as a reader uses it: every control clicked, at every width, in light, dark and print."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

SCHEMES = ("light", "dark")
PAPER = 718  # pixels of an A4 page's width between margins of a centimetre, at 96 to the inch
# Contrast of every text with what it stands on, by WCAG 2.2, 1.4.3; below this list what is wrong.
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const ground = (node) => {
    if (!node) return [255, 255, 255, 1];
    const colour = rgba(getComputedStyle(node).backgroundColor);
    return colour[3] === 1 ? colour : over(colour, ground(node.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faults = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest('script, option, .unseen')) continue;
    const style = getComputedStyle(node);
    const below = ground(node);
    const svg = node.namespaceURI.endsWith('svg');
    const pair = [light(over(rgba(svg ? style.fill : style.color), below)), light(below)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) faults.add(`${node.tagName}.${node.getAttribute('class')} ${ratio.toFixed(2)}`);
  }
  return [...faults];
}"""


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1024, "dark"), (390, "light"), (390, "dark")])
def test_nothing_is_wider_than_the_window(visit: Callable[..., Any], report: Path, width: int, scheme: str) -> None:
    seen = visit(report, width=width, scheme=scheme)
    assert seen.overflow() <= 0
    seen.open_all()
    assert seen.overflow() <= 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_stands_out_from_its_ground(visit: Callable[..., Any], report: Path, scheme: str) -> None:
    seen = visit(report, scheme=scheme)
    seen.open_all()
    assert seen.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [1024, 390])
def test_every_button_and_fold_can_be_clicked(visit: Callable[..., Any], report: Path, width: int) -> None:
    page = visit(report, width=width).page
    page.get_by_role("button", name="Open all").click()
    assert page.locator("details.section:not([open])").count() == 0
    page.get_by_role("button", name="Close all").click()
    assert page.locator("details.section[open]").count() == 0
    kinds: dict[str, Any] = {}
    for button in page.get_by_role("button").all():
        kinds.setdefault(f"{button.get_attribute('class')} {button.get_attribute('data-fold')}", button)
    for button in kinds.values():
        button.click()
    for summary in page.locator("section details.row > summary, details.more-alerts > summary").all():
        before = summary.evaluate("node => node.parentElement.open")
        summary.click()
        assert summary.evaluate("node => node.parentElement.open") != before


def test_a_command_is_copied_as_it_stands(visit: Callable[..., Any], report: Path) -> None:
    page = visit(report).page
    command = page.locator("#next .command").first
    command.get_by_role("button").click()
    command.get_by_role("button", name="Copy command").filter(has_text="copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == command.locator("code").text_content()


def test_an_alert_leads_into_the_folded_section(visit: Callable[..., Any], report: Path) -> None:
    page = visit(report, height=600).page
    for link in page.locator(".alerts").first.locator("a.more").all():
        name = (link.get_attribute("href") or "")[1:]
        link.click()
        section = page.locator(f"[id='{name}']")
        assert section.evaluate("node => node.open") and section.evaluate(
            "node => { const place = node.getBoundingClientRect(); return place.top < innerHeight && place.bottom > 0 }"
        )
        section.evaluate("node => { node.open = false }")


def test_every_link_of_the_contents_shows_its_section(visit: Callable[..., Any], report: Path) -> None:
    page = visit(report).page
    for link in page.locator(".contents a").all():
        link.click()
        name = (link.get_attribute("href") or "")[1:]
        assert page.locator(f"[id='{name}']").is_visible()
    assert page.locator("details.section:not([open])").count() == 0


def test_the_keyboard_reaches_what_the_mouse_does(visit: Callable[..., Any], report: Path) -> None:
    page = visit(report).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "top"
    reached = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            "() => { const node = document.activeElement; const style = getComputedStyle(node);"
            " return [node.tagName, style.outlineStyle, node.closest('details.section')?.id ?? ''] }"
        )
        if focus[0] == "BODY":
            break
        assert focus[1] != "none", focus
        reached.add((focus[0], focus[2]))
    assert {("BUTTON", ""), ("A", ""), ("SUMMARY", ""), ("SUMMARY", "rows"), ("SUMMARY", "glossary")} <= reached
    page.locator("#funnel > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#funnel").evaluate("node => node.open")


def test_paper_holds_everything_unfolded_and_uncut(visit: Callable[..., Any], report: Path) -> None:
    seen = visit(report, width=PAPER, scheme="dark")
    page = seen.page
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert seen.overflow() <= 0
    cut = "nodes => nodes.filter((node) => node.scrollHeight > node.clientHeight + 1).length"
    assert page.locator("pre").evaluate_all(cut) == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("button:visible").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.section[open]").count() == 0


def test_headings_go_down_one_step_at_a_time(visit: Callable[..., Any], report: Path) -> None:
    seen = visit(report)
    seen.open_all()
    headings = seen.page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map((node) => [+node.tagName[1], node.textContent])"
    )
    assert headings[0][0] == 1 and [level for level, _ in headings].count(1) == 1
    jumps = [after for before, after in pairwise(headings) if after[0] > before[0] + 1]
    assert jumps == []


def test_every_control_and_region_has_a_name(visit: Callable[..., Any], report: Path) -> None:
    seen = visit(report)
    seen.open_all()
    tree = seen.page.locator("body").aria_snapshot()
    assert '- navigation "Contents"' in tree and "- main" in tree and '- search "Rows of this page"' in tree
    nameless = [line for line in tree.split("\n") if line.strip() in ("- button", "- link", "- textbox", "- combobox")]
    assert nameless == []


def test_without_script_the_page_says_so_and_shows_rows(visit: Callable[..., Any], report: Path) -> None:
    page = visit(report, script=False).page
    page.locator("#rows > summary").click()
    assert page.locator("#rows").get_by_text("Searching needs JavaScript").is_visible()
    assert page.locator("#rows .plain li").count() == 12
    assert page.locator("button:visible").count() == 0


class TestSearch:
    """Rows are found by what they say and where they come from."""

    @pytest.fixture
    def page(self, visit: Callable[..., Any], report: Path) -> Any:
        page = visit(report).page
        page.locator("#rows > summary").click()
        return page

    @pytest.fixture
    def facts(self, report: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((report.parent / "report.json").read_text(encoding="utf-8"))
        return found

    def test_all_rows_are_there_a_few_at_a_time(self, page: Any, facts: dict[str, Any]) -> None:
        whole = len(facts["rows"])
        assert (
            page.locator("#rows-found").text_content() == f"{whole} of the {whole} rows on this page match, 20 shown."
        )
        shown = 20
        while page.locator("#rows-more").is_visible():
            page.locator("#rows-more").click()
            shown = min(shown + 20, whole)
            assert page.locator("#rows-list article").count() == shown
        assert shown == whole == 60
        assert page.evaluate("document.activeElement.tagName") == "PRE"

    def test_words_filter_and_are_marked(self, page: Any) -> None:
        page.get_by_label("Words in prompt").fill("Question (nowhere")
        assert page.locator("#rows-list article").count() == 0
        assert "None of the rows on this page matches. All 60 rows" in page.locator("#rows-found").text_content()
        page.get_by_label("Words in prompt").fill("number 59")
        assert page.locator("#rows-list article").count() == 1
        assert page.locator("#rows-list mark").all_text_contents() == ["59", "number", "59"]
        page.keyboard.press("Escape")
        assert page.get_by_label("Words in prompt").input_value() == ""
        page.locator("#rows-found", has_text="60 of the 60").wait_for()

    @pytest.mark.parametrize(
        ("menu", "choice", "rows"),
        [
            ("source", "notes (10)", 10),
            ("task", "dialogue (10)", 10),
            ("verdict", "dropped (21)", 21),
            ("verdict", "flagged (1)", 1),
            ("rule", "checks/toxicity.score max 0.5 (5)", 5),
        ],
    )
    def test_menus_filter(self, page: Any, menu: str, choice: str, rows: int) -> None:
        page.locator(f"select[name={menu}]").select_option(label=choice)
        assert page.locator("#rows-found").text_content().startswith(f"{rows} of the 60 rows")
        page.get_by_role("button", name="Clear").click()
        page.locator("#rows-found", has_text="60 of the 60").wait_for()

    def test_an_id_is_copied_as_the_command_that_explains_it(self, page: Any, report: Path) -> None:
        card = page.locator("#rows-list article").first
        card.get_by_role("button").click()
        card.get_by_role("button").filter(has_text="copied").wait_for()
        row = card.locator("code").text_content()
        assert page.evaluate("navigator.clipboard.readText()") == f"curate explain {report.parent} {row}"


def test_judgements_are_collected_into_a_command(visit: Callable[..., Any], report: Path) -> None:
    seen = visit(report)
    page = seen.page
    seen.open_all()
    rule = page.locator("details.rule:has(button[data-mark])").first
    judge = rule.locator(".judge").first
    line = rule.locator(".marked")
    assert not line.is_visible()
    for pressed in ("right", "wrong"):  # the second answer replaces the first
        judge.locator(f"button[data-mark='{pressed}']").click()
    row, command = judge.get_attribute("data-row"), line.get_attribute("data-command")
    assert line.locator("button.copy").get_attribute("data-copy") == f"{command} --mark {row}=wrong"
    assert "curate review" in command
    assert line.is_visible()
    judge.locator("button[data-mark='wrong']").click()  # pressed again, it is taken back
    assert not line.is_visible()
    assert seen.said == []
