"""An ablation on a terminal: the contrasts with their intervals and verdicts, then what every arm saw and cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from reports import shown
from reports.terminal import cut_line, plain_table

STYLES = {"better": "bold green", "worse": "bold red", "equivalent": "cyan", "inconclusive": "yellow"}


def ablation(found: Mapping[str, Any], *, console: Console, folder: Path) -> None:
    """Print what ablation.json holds.

    Args:
        found: its data.
        console: where to.
        folder: of the ablation.
    """
    console.print(Text.assemble(("\n" + shown.line(found["name"]), "bold"), f": {shown.line(found['why'])}"))
    told = f"{found['metric']}, {len(found['seeds'])} seeds, {found['items']} items, margin {found['margin']:g}"
    cut_line(console, Text(f"tier {found['tier']}; {told}; p after Holm over the declared contrasts", style="dim"))
    table = plain_table("contrast", ["difference", "95 % interval", "p", "verdict"])
    for one in found["contrasts"]:
        p = shown_p(one["holm"]) if one["confirmatory"] else "(exploratory)"
        interval = f"{one['low']:+.4f} to {one['high']:+.4f}"
        name = Text(f"{shown.line(one['arm'])} − {shown.line(one['against'])}", no_wrap=True, overflow="ellipsis")
        verdict = Text(one["verdict"], style=STYLES[one["verdict"]] if one["confirmatory"] else "dim")
        table.add_row(name, f"{one['mean']:+.4f}", interval, p, verdict)
    console.print(table)
    arms = plain_table("arm", ["rows", "drawn", "seen", found["metric"], "accuracy", "seconds"])
    for arm in found["arms"]:
        scores, spent = arm["scores"], arm["seconds"]
        seconds = f"{spent['curation'] + spent['training']:.1f}"
        numbers = (shown.count(arm["pool"]), shown.count(arm["rows"]), shown.count(arm["examples"]))
        measured = f"{scores[found['metric']]:.4f}", f"{scores['accuracy']:.3f}" if "accuracy" in scores else "–"
        arms.add_row(Text(shown.line(arm["name"]), no_wrap=True), *numbers, *measured, seconds)
    console.print()
    console.print(arms)
    if found["efficiency"]:
        console.print(f"filter efficiency: {efficiency(found['efficiency'])}")
    for alert in found["alerts"]:
        console.print(Text.assemble(("warning  ", "yellow"), shown.line(alert)), soft_wrap=True)
    if not found["alerts"]:
        console.print("all arms see as many examples, in the same shares of sources")
    console.print(Text.assemble(("page  ", "dim"), shown.line(str(folder / "ablation.html"))), soft_wrap=True)


def shown_p(value: float) -> str:
    """Return a p value; what is not nothing never shows as 0."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def efficiency(found: Mapping[str, Any]) -> str:
    """Return the share of what perfect dropping would gain that the run's rules gain, in words."""
    if found["value"] is None:
        return "cannot be told: dropping the planted rows alone is not surely better than dropping none"
    return f"{found['value']:.2f} of what an oracle gains (95 %: {found['low']:.2f} to {found['high']:.2f})"
