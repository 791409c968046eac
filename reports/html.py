"""The facts as one self-contained page: no network, no foreign markup, readable in light, dark and print."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from reports import charts, curves, measures, shown
from reports.budget import EXCERPTS, LIMIT, thinned
from reports.compare_worth import fate
from reports.forest import forest

ASSETS = Path(__file__).parent / "assets"


def render(facts: Mapping[str, Any], *, limit: int = LIMIT) -> str:
    """Return the page.

    Args:
        facts: what `reports.quality.facts` returns, or report.json read back.
        limit: bytes of UTF-8 that the page may have. Above it examples are cut shorter and shorter; a page whose
            figures alone are too many keeps what stands before the folded sections. Both are said on the page.
    """
    page = _whole(facts)
    for size in EXCERPTS:
        if len(page.encode()) <= limit:
            return page
        page = _whole(thinned(facts, size), notice=_notice(limit, f"texts are cut to {size} characters"))
    if len(page.encode()) > limit:
        notice = _notice(limit, "the sections in detail are left out")
        page = _whole(thinned(facts, EXCERPTS[-1]), notice=notice, detail=False)
    return page


def comparison(facts: Mapping[str, Any]) -> str:
    """Return the page that compares two runs.

    Args:
        facts: what `reports.compare.facts` returns, or compare.json read back.
    """
    return _page("compare.html.j2", facts, scripts="report.js")


def ablation(facts: Mapping[str, Any]) -> str:
    """Return the page of one trial.

    Args:
        facts: `trial` (ablation.json), `analysis` (analysis.json) and `method`.
    """
    return _page("ablation.html.j2", facts, scripts="report.js")


def _notice(limit: int, done: str) -> str:
    """Return what was done to keep the page small."""
    return f"To keep this page under {limit / 1e6:g} MB, {done}; report.json and rows.parquet have all"


def _whole(facts: Mapping[str, Any], *, notice: str | None = None, detail: bool = True) -> str:
    """Return the report with or without its folded sections."""
    return _page("report.html.j2", facts, scripts="*.js", notice=notice, detail=detail)


def _page(template: str, facts: Mapping[str, Any], *, scripts: str, **more: Any) -> str:
    """Return a page with all our style sheets and those scripts whose names fit, the only ones it may run."""
    script, style = _assets(scripts), _assets("*.css")
    allowed = "sha256-" + base64.b64encode(sha256(script.encode()).digest()).decode()
    page = _environment().get_template(template)
    # Only our own assets pass unescaped.
    safe = {"script": Markup(script), "style": Markup(style), "allowed": allowed}
    return page.render(f=facts, **more, **safe)


def _assets(names: str) -> str:
    """Return our scripts or style sheets as one, in order of their names."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(ASSETS.glob(names)))


def _rows_to_search(facts: Mapping[str, Any]) -> list[list[Any]]:
    """Return the rows of the page as lists, in the order that `sample.js` reads."""
    return [
        [
            row,
            *(shown_row[name] for name in ("source", "task", "template", "kept", "dropped_by", "flagged_by")),
            *(shown_row["prompt"], shown_row["response"], shown_row["left_out"]["response"], shown_row["masked"]),
        ]
        for row, shown_row in facts["rows"].items()
    ]


def _island(data: Any) -> Markup:
    """Return data as JSON for a script element that is read, never run.

    `<` could end the element, so signs of markup are written as escapes; hidden characters are spelled out as
    everywhere on the page.
    """
    text = json.dumps(_seen(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _seen(data: Any) -> Any:
    """Return the data with the hidden characters of every text spelled out, those of keys too."""
    if isinstance(data, Mapping):
        return {shown.visible(str(key)): _seen(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_seen(value) for value in data]
    return shown.visible(data) if isinstance(data, str) else data


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    """Return an environment that escapes everything and makes control characters visible in all it prints.

    Kept, as compiling the templates takes as long as filling them.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}  # `tojson`: as short in all scripts
    environment.filters |= {
        "count": shown.count,
        "number": shown.number,
        "share": shown.share,
        "seconds": shown.seconds,
        "plural": shown.plural,
        "width": _width,
        "heat": _heat,
        "anchor": _anchor,
    }
    environment.globals |= {
        "island": _island,
        "rows_to_search": _rows_to_search,
        "histogram": _histogram,
        "classes": _classes,
        "survival": _survival,
        "forest": _forest,
        "glossary_term": measures.term,
        "quote": shown.command,
        "square_root": charts.square_root,
        "mirrored": _mirrored,
        "fate": fate,
    }
    return environment


def _visible(value: Any) -> Any:
    """Spell out invisible characters in every text that is printed; our own markup is left alone."""
    return shown.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _histogram(distribution: Mapping[str, Any], rule: Mapping[str, Any]) -> Markup:
    bounds = [rule[key] for key in ("min", "max") if key in rule]
    return Markup(charts.histogram(distribution, signal=rule["signal"], bounds=bounds))


def _mirrored(shift: Mapping[str, Any]) -> Markup:
    return Markup(charts.mirrored(shift["histogram"], title=shift["title"]))


def _classes(histogram: Mapping[str, Any]) -> Markup:
    return Markup(charts.classes(histogram["classes"], title=f"{histogram['title'].split(', ')[1]}, from"))


def _survival(lengths: Mapping[str, Any]) -> Markup:
    return Markup(curves.survival(lengths["curve"], [window["tokens"] for window in lengths["windows"]]))


def _forest(trial: Mapping[str, Any]) -> Markup:
    # Far off on purpose, answers dealt out anew would squeeze all others together; the table has them.
    near = [one for one in trial["contrasts"] if one["confirmatory"] or one["arm"] != "shuffled answers"]
    return Markup(forest(near, margin=trial["margin"], title=f"difference in {trial['metric']}"))


def _width(part: float | None, whole: float | None = 1) -> str:
    """Return a CSS length for a bar, never thinner than can be seen unless there is nothing."""
    if not part or not whole:
        return "0%"
    return f"{min(100.0, max(0.4, part / whole * 100)):.2f}%"


def _heat(part: float, whole: float) -> str:
    """Return how deep a cell is shaded, on a square-root scale so that few still show; a number stands out on half."""
    return f"{(part / whole) ** 0.5 * 50:.0f}%" if whole and part else "0%"


def _anchor(text: str) -> str:
    """Return an id for a link to a rule."""
    return "rule-" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
