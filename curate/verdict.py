"""Keep rules: bounds on signals, applied to the rows alive at a stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate.recipe import Keep, Scalar, Stage, as_tuple

Flags = npt.NDArray[np.bool_]
# What the values of a rule must be, by the type of its signal; all other types are numbers.
_WANTED: dict[str, type] = {"bool": bool, "str": str, "list[str]": str}


@dataclass
class Verdicts:
    """What has become of each row so far: some bytes a row, and some for each rule that it failed.

    Args:
        alive: shape (n,), bool: not dropped yet.
        stages: names of the stages that dropped rows.
        at: (n,) which of these dropped the row, -1 while it is alive.
        hits: rule, whether it only flags, and the rows that failed it, ascending; in the order of the rules.
    """

    alive: Flags
    stages: list[str]
    at: npt.NDArray[np.int16]
    hits: list[tuple[str, bool, npt.NDArray[np.int64]]]

    @classmethod
    def start(cls, count: int) -> Verdicts:
        """Return verdicts with every row alive."""
        return cls(np.ones(count, bool), [], np.full(count, -1, np.int16), [])

    def dropped_at(self, start: int = 0, stop: int | None = None) -> pl.Series:
        """Return the stage that dropped each row of a span, null while it is alive."""
        names = pl.Series([*self.stages, None], dtype=pl.String)
        at = self.at[start:stop]
        return names.gather(np.where(at < 0, len(self.stages), at))

    def failed(self, start: int = 0, stop: int | None = None, *, flag: bool) -> list[list[str]]:
        """Return the ids of the rules that each row of a span failed, of those that only flag or of the others."""
        stop = len(self.alive) if stop is None else stop
        found: list[list[str]] = [[] for _ in range(start, stop)]
        for name, flags, rows in self.hits:
            if flags == flag:
                for row in rows[slice(*np.searchsorted(rows, (start, stop)))].tolist():
                    found[row - start].append(name)
        return found

    def frame(self, start: int, stop: int) -> pl.DataFrame:
        """Return the verdict columns of a span of rows."""
        lists = pl.List(pl.String)
        return pl.DataFrame(
            {
                "kept": pl.Series(self.alive[start:stop], dtype=pl.Boolean),
                "dropped_at": self.dropped_at(start, stop),
                "dropped_by": pl.Series(self.failed(start, stop, flag=False), dtype=lists),
                "flagged_by": pl.Series(self.failed(start, stop, flag=True), dtype=lists),
            }
        )


def failing(rule: Keep) -> pl.Expr:
    """Return a boolean expression: true where the rule is broken, null where the signal gives no verdict."""
    signal = pl.col(rule.signal)
    if rule.equals is not None:
        return signal != pl.lit(rule.equals)
    if rule.any_of is not None or rule.none_of is not None:
        return pl.lit(None, dtype=pl.Boolean)  # replaced by `_membership`, which knows the type of the signal
    broken = pl.lit(False)
    if rule.min is not None:
        broken = broken | (signal < rule.min)
    if rule.max is not None:
        broken = broken | (signal > rule.max)
    return pl.when(signal.is_null()).then(None).otherwise(broken)


def _membership(rule: Keep, values: pl.Series) -> pl.Expr:
    """Return the expression of `any_of` and `none_of`; a list signal counts by any member."""
    members = rule.any_of if rule.any_of is not None else rule.none_of or ()
    signal = pl.col(rule.signal)
    if isinstance(values.dtype, pl.List):
        inside = signal.list.eval(_inside(pl.element(), members, pl.String())).list.any()
    else:
        inside = _inside(signal, members, values.dtype)
    return ~inside if rule.any_of is not None else inside


def _inside(value: pl.Expr, members: Sequence[Scalar], dtype: pl.DataType) -> pl.Expr:
    """Return whether a value is among some; numbers compare as numbers, so that -1 and 1.5 may be asked of counts."""
    if dtype.is_numeric():
        return value.cast(pl.Float64).is_in(pl.Series(members, dtype=pl.Float64, strict=False).implode())
    return value.is_in(pl.Series(members, dtype=dtype).implode())


def misfits(rule: Keep, kind: str) -> Iterator[str]:
    """Yield why the form or the values of a rule do not suit a signal of this type."""
    if (rule.min is not None or rule.max is not None) and kind in _WANTED:
        yield f"'{rule.signal}' is {kind}: use is, any_of or none_of, not min or max"
    values = rule.any_of or rule.none_of or (() if rule.equals is None else (rule.equals,))
    yield from (f"'{rule.signal}' is {text}" for text in strangers(values, kind))
    if rule.equals is not None and kind == "list[str]":
        yield f"'{rule.signal}' is a list: use any_of or none_of"


def strangers(values: Sequence[Scalar], kind: str) -> Iterator[str]:
    """Yield which values cannot be compared with a column of this type."""
    wanted = _WANTED.get(kind, (int, float))
    for value in values:
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
            yield f"{kind}, {value!r} is not"


def broken(rule: Keep, frame: pl.DataFrame) -> tuple[Flags, Flags, Flags]:
    """Apply one rule.

    Args:
        rule: the bound.
        frame: n rows with the rule's signal and the columns of its `where`.

    Returns:
        Three (n,) bool arrays: failed, unknown (null signal), and covered by the rule's `where`.
    """
    # By name, since `select` would copy all columns where they are not cut into pieces alike.
    frame = frame[list({rule.signal, *rule.where})]
    listed = rule.any_of is not None or rule.none_of is not None
    test = _membership(rule, frame[rule.signal]) if listed else failing(rule)
    covered = pl.lit(True)
    for column, value in rule.where.items():
        covered = covered & _inside(pl.col(column), as_tuple(value), frame.schema[column]).fill_null(False)
    verdict = frame.select(failed=test, covered=covered, null=pl.col(rule.signal).is_null())
    inside = np.broadcast_to(verdict["covered"].to_numpy(), frame.height)
    failed = verdict["failed"].fill_null(False).to_numpy() & inside
    return failed, verdict["null"].to_numpy() & inside, inside


def judge(stage: Stage, verdicts: Verdicts, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Apply all rules of a stage to the rows alive and record every rule that failed.

    Args:
        stage: the rules, all of them applied to each row.
        verdicts: changed in place.
        frame: all n rows with the signals and columns the rules name.

    Returns:
        The rules' entries in the manifest.
    """
    alive = verdicts.alive.copy()
    results = [(rule, *broken(rule, frame)) for rule in stage.keep]
    dropping = [failed & alive for rule, failed, _, _ in results if not rule.flag]
    causes = np.sum(dropping, axis=0) if dropping else np.zeros(len(alive), int)
    facts: list[dict[str, Any]] = []
    claimed = np.zeros(len(alive), bool)
    for rule, failed, unknown, covered in results:
        name, hit = rule.rule_id(stage.name), failed & alive
        verdicts.hits.append((name, rule.flag, np.flatnonzero(hit)))
        first = int((hit & ~claimed).sum())
        if not rule.flag:
            claimed |= hit
        facts.append(
            {
                "id": name,
                "form": rule.form,
                **rule.model_dump(mode="json", by_alias=True, exclude_none=True),
                "evaluated": int((covered & alive).sum()),
                "failed": int(hit.sum()),
                "first": 0 if rule.flag else first,
                "unique": 0 if rule.flag else int((hit & (causes == 1)).sum()),
                "unknown": int((unknown & alive).sum()),
            }
        )
    verdicts.stages.append(stage.name)
    verdicts.at[causes > 0] = len(verdicts.stages) - 1
    verdicts.alive &= causes == 0
    return facts
