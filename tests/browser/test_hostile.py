"""A data set that attacks its reader, from file to page: nothing runs, nothing hides, nobody's address is shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MAIL = "jane.doe@acme-letters.de"
RUN = "window.__hostile=1"  # the mark that a script of the data leaves when it runs
ATTACKS = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</title></style></textarea></pre><img src=x onerror={RUN}><svg onload={RUN}>",
    f'" onmouseover="{RUN}" autofocus onfocus="{RUN}" x="',
    f"' style='background:url(http://hostile.invalid/a)' onclick='{RUN}",
    f"<iframe src='javascript:{RUN}'></iframe><a href='javascript:{RUN}'>x</a><base href='http://hostile.invalid/'>",
    "<link rel=stylesheet href=http://hostile.invalid/b.css><meta http-equiv=refresh content='0;url=http://hostile.invalid'>",
    "<!-- ]]> {{ 7919*7907 }} {% include 'x' %} ${7919*7907} {# #} --><plaintext>",
    "user\u202egnp.exe\u2066\u200b\u200d\ufeff hidden \u2028 line \x85",
    "red\x1b[31m\x1b]8;;http://hostile.invalid\x07link\x1b]8;;\x07\x1b[2J bell\x07 back\x08 delete\x7f",
    "null\x00byte",
    "[bold red]rich[/bold red] [/] [link=http://hostile.invalid]x[/link] [on blink]",
    f"Write to {MAIL}, or call +1 202 555 0143; again: {MAIL}",
    "w" * 30_000,
    '=HYPERLINK("http://hostile.invalid") | cell | **md** [x](http://hostile.invalid) `code` \n# heading\n---\n',
    "1" * 400 + " 1e999 -0 " + "9" * 30,
    "\U000e0041\U000e0042 tags, e" + "\u0301" * 300 + ", 𝒳 \U0001f469\u200d\U0001f467",
)
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
RECIPE = """
name = "hostile"
seed = 5
rejects = 1.0
[[sources]]
name = '''<img src=x onerror=window.__hostile=1> {{ 7919*7907 }}'''
path = "tasks.jsonl"
task = "wild"
fields = { text = "text", label = "label" }
license = '''"><script>window.__hostile=1</script> jane.doe@acme-letters.de'''
lang = "en"
[templates]
per_record = 1
path = "wild"
[[stages]]
name = '''<img src=x onerror=window.__hostile=1>[bold]checks'''
steps = [{ step = "length" }, { step = "pii", column = "rendered" }, { step = "toxicity" }]
keep = [
  { signal = "length.words", max = 900, why = '''<script>window.__hostile=1</script> [bold]why''' },
  { signal = "pii.count", max = 0, flag = true, why = "a {{ 7919*7907 }} reason" },
]
[[stages]]
name = "copies"
steps = [{ step = "exact" }]
keep = [{ signal = "exact.rank", max = 0, why = "one copy" }]
"""

WILD = """
family = "wild"
why = "{{ 7919*7907 }}"
target = "label"
[slots]
text = "text"
label = "value"
[example]
text = "The kettle boils."
label = "true"
[[templates]]
id = "wild.plain"
kind = "zero_shot"
prompt = '''<script>window.__hostile=1</script> write to jane.doe@acme-letters.de: {{ text }}'''
response = '''{{ label }}'''
"""


def curate(folder: Path, *arguments: str) -> str:
    """Run a command; return what it prints, in colour on a wide screen."""
    command = [sys.executable, "-m", "curate", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "FORCE_COLOR": "1", "COLUMNS": "200",
                   "HOME": str(folder), "LANG": "C.UTF-8"}  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert MAIL not in done.stderr
    return done.stdout


def chat(attack: str) -> dict[str, Any]:
    """Return a conversation that attacks in every field."""
    said = [{"role": "user", "content": f"What is this? {attack}"}, {"role": "assistant", "content": attack}]
    return {
        "messages": said,
        "id": attack,
        attack[:200]: {attack[:200]: attack},
        "tags": [attack, 1e300, -(2**62), None],
    }


def write(path: Path, records: list[dict[str, Any]]) -> None:
    # Escapes carry whatever JSON can name, lone surrogates among it.
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Give the run directory of an audit, and what it printed."""
    folder = tmp_path_factory.mktemp("audit")
    name = "'; touch x; <b>{{7}}.jsonl"
    surrogate = '{"messages":[{"role":"user","content":"lone \\ud800"},{"role":"assistant","content":"\\udfff"}]}\n'
    write(folder / name, [*map(chat, ATTACKS), chat(ATTACKS[11]), {"messages": f"{ATTACKS[0]} {MAIL}"}])
    with open(folder / name, "a", encoding="utf-8") as file:
        file.write(surrogate + f"not json <script>{RUN}</script>\x1b[31m\n")
    printed = curate(folder, "audit", name, "--out", "run")
    return folder / "run", printed


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Give the run directory of a recipe over raw task data, and what it printed."""
    folder = tmp_path_factory.mktemp("recipe")
    write(folder / "tasks.jsonl", [{"text": attack, "label": attack[:300], attack[:50]: attack} for attack in ATTACKS])
    (folder / "wild").mkdir()
    (folder / "wild" / "wild.toml").write_text(WILD, encoding="utf-8")
    (folder / "r.toml").write_text(RECIPE, encoding="utf-8")
    return folder / "run", curate(folder, "run", "r.toml", "--out", "run")


@pytest.fixture(params=["audited", "ran"])
def attacked(request: pytest.FixtureRequest) -> tuple[Path, str]:
    """Give both runs."""
    found: tuple[Path, str] = request.getfixturevalue(request.param)
    return found


def told(run: Path) -> dict[str, str]:
    """Return what the run writes for people to read."""
    return {name: (run / name).read_text(encoding="utf-8") for name in ("report.html", "report.json", "README.md")}


def strings(data: Any) -> list[str]:
    """Return every text in JSON data, keys among them."""
    if isinstance(data, dict):
        return [*data, *(text for value in data.values() for text in strings(value))]
    if isinstance(data, list):
        return [text for value in data for text in strings(value)]
    return [data] if isinstance(data, str) else []


def test_the_attack_reaches_the_page(attacked: tuple[Path, str]) -> None:
    """Without this the other tests could pass on an empty page."""
    facts = json.loads(told(attacked[0])["report.json"])
    assert facts["headline"]["rows"] >= len(ATTACKS) - 3
    texts = " ".join(row["prompt"] + row["response"] for row in facts["rows"].values())
    for sign in ("<script>", "onerror=", "{{ 7919*7907 }}", "[bold red]", "[U+202E]", "[U+001B]", "‹email›"):
        assert sign in texts
    assert "62615533" not in texts  # the product: a template that ran would have written it


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_and_nothing_is_fetched(
    visit: Callable[..., Any], attacked: tuple[Path, str], scheme: str
) -> None:
    seen = visit(attacked[0] / "report.html", width=390 if scheme == "dark" else 1280, scheme=scheme)
    page = seen.page
    seen.open_all()
    while page.locator("#rows-more").is_visible():
        page.locator("#rows-more").click()
    page.get_by_label("Words in prompt").fill("<script>")
    assert page.locator("#rows-list article").count() > 0
    for kind in ("mouseover", "focus", "click"):
        page.evaluate(
            "kind => { for (const node of document.querySelectorAll('main *')) "
            "if (!node.closest('a, button, summary, form')) node.dispatchEvent(new Event(kind, {bubbles: true})) }",
            kind,
        )
    page.wait_for_timeout(200)
    assert page.evaluate("window.__hostile") is None
    assert page.locator("iframe, img, object, link, base, svg[onload], a:not([href^='#'])").count() == 0
    assert page.locator('script:not([type="application/json"])').count() == 1  # ours; the others are data
    assert seen.overflow() <= 0


def test_nothing_hides(attacked: tuple[Path, str], visit: Callable[..., Any]) -> None:
    for name, text in told(attacked[0]).items():
        assert HIDDEN.search(text) is None, name
    facts = json.loads(told(attacked[0])["report.json"])
    assert [text for text in strings(facts) if HIDDEN.search(text)] == []
    seen = visit(attacked[0] / "report.html")
    seen.open_all()
    assert HIDDEN.search(seen.page.locator("body").inner_text()) is None


def test_no_address_is_shown(attacked: tuple[Path, str]) -> None:
    run, printed = attacked
    for name, text in told(run).items():
        assert MAIL not in text and "jane.doe" not in text, name
    assert "jane.doe" not in printed


def test_the_terminal_obeys_nobody(attacked: tuple[Path, str]) -> None:
    printed = attacked[1]
    assert "\x07" not in printed and "\x1b]" not in printed and "\x1b[2J" not in printed
    assert HIDDEN.search(re.sub(r"\x1b\[[0-9;]*m", "", printed)) is None
