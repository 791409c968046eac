"""Count who is mentioned: groups by gender, religion, ethnicity, nationality, age, disability, orientation."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from curate import rulebook, terms

RULES = {"lexicon": ("lexicons/identity",)}
_SCHEMA: dict[str, pl.DataType] = {"mentions": pl.UInt32(), "groups": pl.List(pl.String), "axes": pl.List(pl.String)}


def bias(rows: pl.DataFrame, *, column: str = "rendered", lexicon: Path | None = None) -> pl.DataFrame:
    """Count who is mentioned: groups by gender, religion, ethnicity, nationality, age, disability, orientation.

    A mention is no fault and no bound on it is wise: the counts are for comparing groups, and for seeing whom the
    other rules drop. Axes are counted apart, so "black women" mentions two groups. English only.

    Args:
        rows: instruction rows.
        column: the text to count in; prompt and response by default, since either says who the data is about.
        lexicon: a word list of your own whose categories are axes; rules/lexicons/identity.toml when left out.

    Signals:
        mentions (u32): terms found; null where the text is null or in another language than the
            lexicon's (declared, or else recognised).
        groups (list[str]): groups found as axis:group, sorted, each once; null where mentions is.
        axes (list[str]): axes found, sorted, each once; null where mentions is.
    """
    words = rulebook.lexicon(lexicon or "identity")
    folded = terms.judged(rows, column=column, language=words.language)
    measured = [
        (None, None, None) if value is None else _counted([str(hit.entry.id) for hit in hits])
        for value, hits in zip(folded, terms.apart(words, folded), strict=True)
    ]
    return pl.DataFrame(measured, schema=_SCHEMA, orient="row")


def _counted(found: list[str]) -> tuple[int, list[str], list[str]]:
    """Return mentions, groups and axes of one text."""
    return len(found), sorted(set(found)), sorted({group.split(":")[0] for group in found})
