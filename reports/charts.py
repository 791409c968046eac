"""Histograms as static SVG, drawn by Altair; the page's style sheet gives the colours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt


# Neutral colours, readable on white and on black, where no style sheet applies; the page maps them to its palette.
# Blue and orange differ for all common kinds of colour blindness, and in lightness.
KEPT, DROPPED, MARK, TEXT, GRID = "#3b78b4", "#d9822b", "#6b6f76", "#7a7f87", "#8a8f9733"
WIDTH, HEIGHT = 520, 132
# With a bar shorter than this share of the highest the scale is square-root, or one side of a rule would be invisible.
SMALL = 1 / 40
_HEAD = re.compile(r"<svg [^>]*?(width)=\"(\d+)\" height=\"(\d+)\" viewBox=\"[^\"]*\"[^>]*>")


def histogram(facts: Mapping[str, Any], *, signal: str, bounds: Sequence[float] = ()) -> str:
    """Return the bars of a distribution with the rule's bounds marked.

    Args:
        facts: a numeric `distribution`.
        signal: title of the horizontal axis.
        bounds: thresholds of the rule.
    """
    bars, axis = _binned(facts, signal)
    marks = [bound for bound in bounds if bars[0]["low"] <= bound <= bars[-1]["high"]]
    return _svg(_bars(bars, axis, second="high"), marks=marks)


def mirrored(facts: Mapping[str, Any], *, title: str) -> str:
    """Return the shares of two mixes over the same bars, the new one upwards and the old one downwards.

    Args:
        facts: `bars` with `low`, `high`, `old_share` and `new_share`, and how they are closed.
        title: of the horizontal axis.
    """
    import altair as alt

    bars, axis = _binned(facts, title)
    rows = [
        {"low": bar["low"], "high": bar["high"], "side": side, "from": 0, "to": sign * bar[f"{side}_share"]}
        for bar in bars
        for side, sign in (("new", 1), ("old", -1))
        if bar[f"{side}_share"]
    ]
    shares = alt.Axis(tickCount=5, labelExpr="format(abs(datum.value), '~%')")
    encoding: dict[str, Any] = {
        "x": axis,
        "x2": "high:Q",
        "y": alt.Y("to:Q", title="old | new, share", axis=shares),
        "y2": "from:Q",
        "color": alt.Color("side:N", scale=alt.Scale(domain=["new", "old"], range=[KEPT, DROPPED]), legend=None),
    }
    chart: alt.Chart = alt.Chart(_data(rows)).mark_bar(aria=False, binSpacing=1).encode(**encoding)
    return _svg(chart)


def _binned(facts: Mapping[str, Any], title: str) -> tuple[list[dict[str, Any]], alt.X]:
    """Return bars where they are drawn, and their axis."""
    import altair as alt

    # Whole numbers of which each has its own bar sit in the middle of it.
    shift = 0.0 if not facts["unit_bars"] else 0.5 if facts["closed"] == "right" else -0.5
    bars = [{**bar, "low": bar["low"] + shift, "high": bar["high"] + shift} for bar in facts["bars"]]
    domain = alt.Scale(domain=[bars[0]["low"], bars[-1]["high"]], nice=False)
    return bars, alt.X("low:Q", bin="binned", title=title, scale=domain, axis=alt.Axis(tickCount=8))


def classes(facts: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """Return bars of kept and dropped rows in classes of length."""
    import altair as alt

    bars = [{"low": str(item["low"]), "passed": item["kept"], "failed": item["dropped"]} for item in facts]
    axis = alt.X("low:O", sort=[bar["low"] for bar in bars], title=title, axis=alt.Axis(labelAngle=0))
    return _svg(_bars(bars, axis, second=None))


def square_root(bars: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the bars differ so much in height that they are drawn on a square-root scale."""
    heights = [bar[side] for bar in bars for side in ("passed", "failed") if bar[side]]
    return bool(heights) and min(heights) < SMALL * max(heights)


def _bars(bars: Sequence[Mapping[str, Any]], axis: alt.X, *, second: str | None) -> alt.Chart:
    """Return bars of two parts, the failed one at the bottom; stacked here, as scales are not always linear."""
    import altair as alt

    rows = []
    for bar in bars:
        place = {key: bar[key] for key in ("low", "high") if key in bar}
        failed, top = bar["failed"], bar["failed"] + bar["passed"]
        rows += [{**place, "side": "failed", "from": 0, "to": failed}] if failed else []
        rows += [{**place, "side": "passed", "from": failed, "to": top}] if bar["passed"] else []
    scale = alt.Scale(type="sqrt" if square_root(bars) else "linear")
    encoding: dict[str, Any] = {
        "x": axis,
        "y": alt.Y("to:Q", title="rows", scale=scale, axis=alt.Axis(tickCount=4, format="~s")),
        "y2": "from:Q",
        "color": alt.Color("side:N", scale=alt.Scale(domain=["passed", "failed"], range=[KEPT, DROPPED]), legend=None),
    }
    if second:
        encoding["x2"] = f"{second}:Q"
    mark = {"aria": False, "binSpacing": 1} if second else {"aria": False}
    chart: alt.Chart = alt.Chart(_data(rows)).mark_bar(**mark).encode(**encoding)
    return chart


def _data(rows: list[dict[str, Any]]) -> alt.Data:
    import altair as alt

    return alt.Data(values=rows)  # type: ignore[no-untyped-call]


def _svg(bars: alt.Chart, marks: Sequence[float] = ()) -> str:
    """Return the chart as an SVG element without fixed size, names of fonts or addresses."""
    import altair as alt
    import vl_convert

    chart: alt.LayerChart | alt.Chart = bars
    if marks:
        rule = alt.Chart(_data([{"low": mark} for mark in marks])).mark_rule(
            strokeDash=[5, 3], strokeWidth=1.5, color=MARK, aria=False
        )
        chart = bars + rule.encode(x="low:Q")
    chart = chart.properties(width=WIDTH, height=HEIGHT, padding=4)
    chart = chart.configure(background="transparent", font="sans-serif", aria=False)  # first: it resets all others
    chart = chart.configure_view(stroke=None).configure_axis(
        labelColor=TEXT, titleColor=TEXT, tickColor=GRID, domainColor=GRID, gridColor=GRID, labelFontSize=11,
        titleFontSize=11, titleFontWeight="normal", labelOverlap=True, labelFlush=False,
    ).configure_axisX(grid=False)  # fmt: skip
    # Altair's check of a chart against its schema takes as long as drawing it; ours differ in their numbers alone.
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict(validate=False))
    return _embedded(svg)


def _embedded(svg: str) -> str:
    """Return an SVG for use inside a page: it scales, and takes the page's font."""
    head = _HEAD.match(svg)
    if head is None:
        raise AssertionError("vl-convert writes another head than before")
    width, height = head[2], head[3]
    body = svg[head.end() :].replace(' font-family="sans-serif"', "")
    return f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-hidden="true">{body}'
