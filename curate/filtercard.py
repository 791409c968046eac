"""The card of a trained filter: what it was trained on, how often it was right, what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.fit import FOLDS
from curate.text import visible
from curate.trained import READ

# Characters of a hash that are shown: enough to compare by eye.
_SHOWN = 16


def card(facts: Mapping[str, Any], *, sha: str, folder: str) -> str:
    """Return the card as Markdown.

    Args:
        facts: of the filter.
        sha: its hash.
        folder: its name, for the lines of a recipe.
    """
    return "\n".join([*_examples(facts, sha), *_figures(facts, folder), *_limits(facts["negatives"])]) + "\n"


def _examples(facts: Mapping[str, Any], sha: str) -> list[str]:
    told = facts["trained"]
    return [
        f"# {_plain(facts['name'])}",
        "",
        "A quality filter trained with `curate fit`. Its score, from 0 to 1, tells how much a text is like the",
        "positive examples.",
        "",
        "## Trained on",
        "",
        "| examples | file | column | texts | different | left out | SHA-256 |",
        "|---|---|---|---|---|---|---|",
        *(_file(side, told[side]) for side in ("positive", "negative")),
        "",
        f"{told['in_both']} texts stand in both files and were left out. Hash of the filter: `{sha}`.",
        f"Encoder: `{_plain(facts['encoder'])}`; beside its vector, n-grams of 3 to 5 characters.",
        "",
    ]


def _figures(facts: Mapping[str, Any], folder: str) -> list[str]:
    area, low, high = facts["auroc"]
    lines = [
        "## How often it was right",
        "",
        f"Counted on scores of texts that it was not shown ({FOLDS} folds; copies and near copies of a text stand in",
        f"one fold). Area under the ROC curve **{area:.3f}** ({low:.3f} to {high:.3f}). Precision is of data in which",
        f"{facts['negatives']:.0%} of the texts are negative. Intervals are of 95 %.",
        "",
        *_curve("dropped by `min`", facts["curve"]["below"]),
        *_curve("dropped by `max`", facts["curve"]["above"]),
        f"A rule may drop where the lower end of the precision is {facts['precision']:.0%} or more:",
        "",
        _bound(facts, "below", "min"),
        _bound(facts, "above", "max"),
        "",
        "Other rules on the score only flag.",
        "",
    ]
    if facts["below"]:
        rule = f'signal = "fitted.score", min = {facts["below"]["at"]:g}, why = "like the negative examples"'
        use = f'steps = [{{ step = "fitted", folder = "{_plain(folder)}" }}]'
        lines += ["```toml", use, f"keep = [{{ {rule} }}]", "```", ""]
    return lines


def _limits(share: float) -> list[str]:
    return [
        "## Limits",
        "",
        f"- It reads the first {READ:,} characters of a text.",
        "- It knows what its examples show: texts of another kind than both files get a score too, and no figure here",
        "  speaks for it.",
        "- What tells the two files apart for another reason than quality (a source, a length, a layout) is learnt",
        "  too.",
        f"- With other than {share:.0%} negative texts the precision is another one.",
        "- The bounds were chosen on the same scores that they are judged by.",
    ]


def _file(side: str, facts: Mapping[str, Any]) -> str:
    left = f"{facts['empty']} without text, {facts['unreadable']} unreadable"
    sha = f"`{facts['sha256'][:_SHOWN]}…`" if facts["sha256"] else "a folder"
    cells = (
        side,
        _plain(facts["file"]),
        _plain(facts["column"] or "none"),
        facts["texts"],
        facts["distinct"],
        left,
        sha,
    )
    return f"| {' | '.join(map(str, cells))} |"


def _curve(title: str, cuts: Sequence[Mapping[str, Any]]) -> list[str]:
    head = [f"| {title} | right | wrong | precision | recall |", "|---|---|---|---|---|"]
    return [*head, *(_row(cut) for cut in cuts), ""]


def _row(cut: Mapping[str, Any]) -> str:
    found, low, high = cut["recall"]
    sure = (
        "nothing dropped"
        if cut["precision"] is None
        else f"{cut['precision']:.3f} ({cut['low']:.3f} to {cut['high']:.3f})"
    )
    return f"| {cut['at']:g} | {cut['right']} | {cut['wrong']} | {sure} | {found:.3f} ({low:.3f} to {high:.3f}) |"


def _bound(facts: Mapping[str, Any], side: str, name: str) -> str:
    cut = facts[side]
    if cut is None:
        return f"- `{name}`: nowhere; the examples do not show that it is right that often."
    up_to = "up to" if name == "min" else "from"
    return (
        f"- `{name}` {up_to} {cut['at']:g}: {cut['right']} right, {cut['wrong']} wrong, finds {cut['recall'][0]:.0%}."
    )


def _plain(value: str) -> str:
    """Return a name that cannot break the card's layout."""
    return visible(" ".join(value.split())).replace("|", "\\|").replace("`", "'")
