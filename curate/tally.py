"""How much each rule is used: the rows it hits whatever became of them, those that it alone removes, and overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from curate.recipe import Stage
from curate.verdict import Flags, broken


def tally(stages: Sequence[Stage], alive: Flags, frame: pl.DataFrame) -> dict[str, Any]:
    """Count the hits of all rules over all rows, as if each rule stood first.

    The verdicts of a run stop at the stage that dropped a row, so that rules of two stages never meet there. Row-wise
    signals are known for every row, though, and a corpus signal for every row that its step saw.

    Args:
        stages: the rules, flagging where they only flag.
        alive: (n,) bool: rows that are kept.
        frame: all n rows with the signals and columns that the rules name.

    Returns:
        `rules`: per rule id, hit (rows that break it) and alone (rows dropped that break no other rule that drops; 0
        for a rule that flags). `both`: [first, second, rows] by place in `rules`, for pairs that break on a row.
    """
    rules = [(rule.rule_id(stage.name), rule.flag, broken(rule, frame)[0]) for stage in stages for rule in stage.keep]
    causes = np.zeros(len(alive), dtype=np.uint32)
    for _, flag, failed in rules:
        causes += failed & (not flag)
    single = (causes == 1) & ~alive
    told = [
        {"id": name, "hit": int(failed.sum()), "alone": 0 if flag else int((failed & single).sum())}
        for name, flag, failed in rules
    ]
    both = [
        [first, second, rows]
        for first, one in enumerate(rules)
        for second, other in enumerate(rules[:first])
        if told[first]["hit"] and told[second]["hit"] and (rows := int((one[2] & other[2]).sum()))
    ]
    return {"rules": told, "both": sorted([second, first, rows] for first, second, rows in both)}
