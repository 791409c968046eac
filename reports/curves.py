"""Lines as static SVG, drawn like the histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.charts import DROPPED, KEPT, MARK, _data, _svg

# Lines differ in dashes too, for readers who see no colours and for print.
_LINES = {
    "share": ("rows that fit whole", KEPT, [1, 0]),
    "token_share": ("tokens inside", MARK, [2, 3]),
    "trained_share": ("trained tokens inside", DROPPED, [7, 3]),
}


def survival(curve: Sequence[Mapping[str, Any]], windows: Sequence[int]) -> str:
    """Return what stays of kept rows, their tokens and their trained tokens, by context window.

    Args:
        curve: points with `tokens` and shares in [0, 1]; a share that is None everywhere has no line.
        windows: marked on the axis.
    """
    import altair as alt

    points = [
        {"tokens": point["tokens"], "share": point[name], "line": title}
        for name, (title, _, _) in _LINES.items()
        for point in curve
        if point[name] is not None
    ]
    lines = [line for line in _LINES.values() if any(point["line"] == line[0] for point in points)]
    titles = [title for title, _, _ in lines]
    ends = [min(point["tokens"] for point in curve), max(point["tokens"] for point in curve)]
    axis = alt.Axis(values=list(windows), format=",d", grid=False)
    chart = alt.Chart(_data(points)).mark_line(strokeWidth=2, interpolate="linear", aria=False)
    across = alt.Scale(type="log", base=2, domain=ends)
    chart = chart.encode(
        x=alt.X("tokens:Q", title="context window, tokens", scale=across, axis=axis),
        y=alt.Y("share:Q", title="share of kept", scale=alt.Scale(zero=False, nice=True),
                axis=alt.Axis(format=".0%", tickCount=5)),
        color=alt.Color("line:N", scale=alt.Scale(domain=titles, range=[one for _, one, _ in lines]), legend=None),
        strokeDash=alt.StrokeDash(
            "line:N", scale=alt.Scale(domain=titles, range=[dash for _, _, dash in lines]), legend=None
        ),
    )  # fmt: skip
    return _svg(chart)
