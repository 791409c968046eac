"""Differences with their intervals, one line each, as static SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports import shown
from reports.charts import DROPPED, GRID, KEPT, MARK, TEXT, _data, _embedded

WIDTH, ROW = 420, 26
_VERDICTS = {"better": KEPT, "worse": DROPPED, "equivalent": TEXT, "inconclusive": MARK}


def forest(contrasts: Sequence[Mapping[str, Any]], *, margin: float, title: str) -> str:
    """Return the contrasts as points with 95 % intervals over seeds, the margin of equivalence shaded.

    Args:
        contrasts: of ablation.json, in their order; one at least.
        margin: the smallest difference that matters.
        title: of the axis.
    """
    import altair as alt
    import vl_convert

    rows = [
        {
            "name": f"{shown.clipped(one['arm'], 24)} − {shown.clipped(one['against'], 24)}: {one['verdict']}",
            "mean": one["mean"], "low": one["low"], "high": one["high"], "verdict": one["verdict"],
            "wide": one["two_level"][0], "wider": one["two_level"][1],
        }
        for one in contrasts
    ]  # fmt: skip
    names = [row["name"] for row in rows]
    # Wider than the labels in any common font: the page draws them in its own.
    extent = 7 * max(len(name) for name in names)
    axis = alt.Axis(labelLimit=480, ticks=False, domain=False, minExtent=extent)
    colour = alt.Color(
        "verdict:N", scale=alt.Scale(domain=list(_VERDICTS), range=list(_VERDICTS.values())), legend=None
    )
    side = alt.Y("name:N", sort=names, title=None, axis=axis)
    base = alt.Chart(_data(rows))
    band = alt.Chart(_data([{"from": -margin, "to": margin}])).mark_rect(color=GRID, aria=False)
    zero = alt.Chart(_data([{"zero": 0}])).mark_rule(color=MARK, aria=False).encode(x="zero:Q")
    dashed = base.mark_rule(strokeWidth=1, strokeDash=[2, 2], aria=False)
    layers = (
        band.encode(x=alt.X("from:Q", title=title, axis=alt.Axis(tickCount=5, labelOverlap=True)), x2="to:Q"), zero,
        dashed.encode(x="wide:Q", x2="wider:Q", y=side, color=colour),
        base.mark_rule(strokeWidth=3, aria=False).encode(x="low:Q", x2="high:Q", y=side, color=colour),
        base.mark_point(filled=True, size=70, aria=False).encode(x="mean:Q", y=side, color=colour),
    )  # fmt: skip
    chart = alt.layer(*layers).properties(width=WIDTH, height=ROW * len(rows), padding=4)
    chart = chart.configure(background="transparent", font="sans-serif", aria=False).configure_view(stroke=None)
    chart = chart.configure_axis(
        labelColor=TEXT, titleColor=TEXT, tickColor=GRID, domainColor=GRID, gridColor=GRID, labelFontSize=11,
        titleFontSize=11, titleFontWeight="normal",
    )  # fmt: skip
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict(validate=False))
    return _embedded(svg)
