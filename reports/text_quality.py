"""What is wrong with the texts: one table of checks over what the run measured, and undeclared languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from reports.view import View, draw, example, rate

LISTED = 20
# Task families named per check, and rows shown.
TASKS, SHOWN = 4, 2
# A response shorter than this that ends without a full stop is mostly a title, a label or a list.
LONG = 200
# Prose has lines of sentences: a last line of fewer words is a heading, a formula or an item of a list.
LAST_LINE_WORDS = 8
# Characters at the end of a text in which its last line is looked for.
_TAIL = 300
_LAST_LINE = r"([^\n]*)$"
# Ends in the middle of a sentence: a letter, a digit, a comma or an opening sign.
_OPEN_END = r"[\p{L}\p{N},;\-–—(\[{]$"
_LIST_OR_CODE = r"^\s*(?:[-*•|>#]|\d+[.)]\s)|[={}<>\\|]"
_SENTENCE_END = r"[.!?…。！？۔।]\s"
# UTF-8 read as Latin-1 or Windows-1252 leaves these pairs; the replacement character stands for bytes that were lost.
_MOJIBAKE = r"\x{FFFD}|Ã[\x{80}-\x{BF}¡-¿]|Â[\x{80}-\x{A0}¡-¿]|â€|ï¿½"
# Bounds of Gopher (arXiv 2112.11446, table A1), those that also suit texts shorter than a page.
LOOPS, LINES, SYMBOLS, ALPHABETIC = 0.1, 0.2, 0.1, 0.8
COPIED, COPIED_WORDS = 0.9, 8  # nine tenths of an answer, and not only a name of a few words


@dataclass(frozen=True)
class _Check:
    """What is looked for: `holds` is an expression over the row's columns, null where there is no verdict."""

    name: str
    role: str
    holds: pl.Expr
    how: str


@dataclass(frozen=True)
class _Wanted:
    """A check on signals of a step; `test` makes an expression of their columns."""

    name: str
    step: str
    signals: tuple[str, ...]
    test: Callable[..., pl.Expr]
    how: str


_WANTED = (
    _Wanted("repeats its prompt", "echo", ("same",), lambda same: same, "same is true"),
    _Wanted("copied from the prompt", "echo", ("share", "longest"),
            lambda share, longest: (share >= COPIED) & (longest >= COPIED_WORDS),
            f"share at least {COPIED:g}, longest at least {COPIED_WORDS} words"),
    _Wanted("loops", "repetition", ("duplicate_10gram_share",), lambda share: share > LOOPS,
            f"duplicate_10gram_share above {LOOPS:g} (Gopher)"),
    _Wanted("repeats lines", "repetition", ("duplicate_line_share",), lambda share: share > LINES,
            f"duplicate_line_share above {LINES:g} (Gopher)"),
    _Wanted("refuses", "refusal", ("refused",), lambda refused: refused, "refused is true"),
    _Wanted("set phrase of an assistant", "refusal", ("boilerplate",), lambda said: said, "boilerplate is true"),
    _Wanted("hash signs and ellipses", "symbols", ("symbol_words_share",), lambda share: share > SYMBOLS,
            f"symbol_words_share above {SYMBOLS:g} (Gopher)"),
    _Wanted("few words with letters", "symbols", ("alphabetic_words_share",), lambda share: share < ALPHABETIC,
            f"alphabetic_words_share below {ALPHABETIC:g} (Gopher; formulas and numbers are no fault)"),
    _Wanted("breaks off", "truncated", ("cut",), lambda cut: cut, "cut is true"),
    _Wanted("misread encoding", "mojibake", ("count", "lost"), lambda count, lost: (count > 0) | (lost > 0),
            "count or lost above 0"),
    _Wanted("another language than the prompt", "mismatch", ("other",), lambda other: other, "other is true"),
    _Wanted("not the form asked for", "format", ("valid",), lambda valid: ~valid, "valid is false"),
    _Wanted("wrong where it can be checked", "verify", ("wrong",), lambda wrong: wrong > 0, "wrong above 0"),
)  # fmt: skip


# Checks of the report itself, and the step that makes them better.
_CLOSER = {"looks cut off": "truncated", "mojibake left": "mojibake"}
# What steps look at by default, where it is not the response.
_DEFAULTS = {"mojibake": "rendered"}


def text_quality(view: View) -> dict[str, Any]:
    """Return the checks with their counts before and after, what was not measured, extremes, repairs and languages."""
    if not view.base.height:
        reason = "the run has no rows"
        return {"skipped": reason, "language": {"skipped": reason}}
    done = {use["step"] for use in uses(view)}
    # A step that looks closer takes the place of the report's own glance.
    own = [check for check in _always() if _CLOSER.get(check.name) not in done]
    checks = [*own, *_measured(view)]
    held = view.run.scan().select(check.holds.alias(str(place)) for place, check in enumerate(checks)).collect()
    frame = view.base.select("task", "kept").hstack(held)
    return {
        "method": (
            "each check over all rows, then over the kept ones; a share is of the rows with a verdict; checks that "
            "name no signal look at the text itself; a check is a reason to read, not a verdict"
        ),
        "rows": view.base.height,
        "kept": int(view.base["kept"].sum()),
        "checks": [_facts(view, frame, check, str(place)) for place, check in enumerate(checks)],
        "not_measured": [{"check": one.name, "step": one.step} for one in _WANTED if one.step not in done],
        "extremes": _extremes(view),
        "repaired": _repaired(view),
        "language": _language(view),
    }


def _always() -> Iterator[_Check]:
    """Yield the checks that need no step."""
    for role in ("prompt", "response"):
        yield _Check("empty", role, pl.col(role).str.strip_chars().str.len_bytes() == 0, "no character but blanks")
    response = pl.col("response").str.strip_chars_end()
    last = response.str.tail(_TAIL).str.extract(_LAST_LINE)
    prose = (last.str.count_matches(r"\S+") >= LAST_LINE_WORDS) & ~last.str.contains(_LIST_OR_CODE)
    cut = (
        (response.str.len_chars() >= LONG) & response.str.contains(_SENTENCE_END) & prose & last.str.contains(_OPEN_END)
    )
    how = (
        f"heuristic: at least {LONG} characters of prose whose last line of at least {LAST_LINE_WORDS} words ends "
        "without a closing mark"
    )
    yield _Check("looks cut off", "response", cut, how)
    for role in ("prompt", "response"):
        how = "heuristic: pairs such as Ã© or â€ that UTF-8 leaves when read as Latin-1, or the replacement character"
        yield _Check("mojibake left", role, pl.col(role).str.contains(_MOJIBAKE), how)


def _measured(view: View) -> Iterator[_Check]:
    """Yield the checks on signals of the run, for each use of a step."""
    for wanted in _WANTED:
        for use in uses(view):
            names = [f"{use['as']}.{signal}" for signal in wanted.signals]
            if use["step"] == wanted.step and set(names) <= set(view.signals):
                how = f"{use['as']}.{wanted.how}"
                yield _Check(wanted.name, use["column"], wanted.test(*map(pl.col, names)), how)


def uses(view: View) -> list[dict[str, str]]:
    """Return name, step and column of each use of a step; the step's own default is the response."""
    given = [use for stage in view.manifest["recipe"].get("stages", []) for use in stage.get("steps", [])]
    columns = {use.get("as", use.get("step")): use.get("column") for use in given}
    return [
        {"as": use["as"], "step": use["step"], "column": _column(columns, use)}
        for stage in view.manifest["stages"]
        for use in stage["steps"]
    ]


def _column(columns: Mapping[str, Any], use: Mapping[str, Any]) -> str:
    return str(columns.get(use["as"]) or _DEFAULTS.get(use["step"], "response"))


def _facts(view: View, frame: pl.DataFrame, check: _Check, place: str) -> dict[str, Any]:
    """Return the counts of one check, the tasks where it holds most often, and rows to look at."""
    held = frame[place].fill_null(False)
    kept = held & frame["kept"]
    known = frame[place].is_not_null()
    counts = {"rows": int(held.sum()), "kept": int(kept.sum())}
    of = {"of": int(known.sum()), "kept_of": int((known & frame["kept"]).sum())}
    by_task = frame.lazy().filter(known).group_by("task").agg(pl.len().alias("of"), pl.col(place).sum().alias("rows"))
    table = by_task.filter(pl.col("rows") > 0).collect().with_columns(share=pl.col("rows") / pl.col("of"))
    table = table.sort("share", "rows", "task", descending=[True, True, False], nulls_last=True)
    drawn = draw(view, kept, check.name, size=SHOWN) if counts["kept"] else draw(view, held, check.name, size=SHOWN)
    return {
        "check": check.name, "role": check.role, "how": check.how, **counts, **of,
        "share": rate(counts["rows"], of["of"]), "kept_share": rate(counts["kept"], of["kept_of"]),
        "tasks": table.head(TASKS).select("task", "rows", "of", "share").to_dicts() if table.height else [],
        "examples": [{"row": row} for row in drawn],
    }  # fmt: skip


def _extremes(view: View) -> list[dict[str, Any]]:
    """Return the shortest and longest prompt and response that are not empty, of all rows and of the kept ones."""
    found = []
    for role in ("prompt", "response"):
        size = f"{role}_characters"
        for word in ("shortest", "longest"):
            ends: dict[str, Any] = {"role": role, "end": word}
            for side, rows in (("all", view.base), ("kept", view.base.filter("kept"))):
                written = rows.lazy().filter(pl.col(size) > 0).select("id", size)
                end = pl.col(size).max() if word == "longest" else pl.col(size).min()
                best = written.filter(pl.col(size) == end).min().collect()
                row, characters = best.row(0)
                ends[side] = {"row": row, "characters": characters} if row else None
            found.append(ends)
    return found


def _repaired(view: View) -> list[dict[str, Any]]:
    """Return how many texts each source had repaired while it was read."""
    return [
        {"source": source["name"], "repair": name, "texts": texts}
        for source in view.manifest["sources"]
        for name, texts in sorted((source.get("repairs") or {}).items())
    ]


def _language(view: View) -> dict[str, Any]:
    """Count kept rows whose detected language is not the declared one."""
    if "language.lang" not in view.signals:
        return {"skipped": "the recipe does not detect languages: add the step `language`"}
    detected = view.columns(["language.lang"])["language.lang"]
    unlike = (detected != view.base["lang"]).fill_null(False) & (detected != "und").fill_null(False)
    kept = unlike & view.base["kept"]
    pairs = view.base.select("source", "lang").with_columns(detected.alias("detected")).filter(kept)
    counted = pairs.group_by("source", "lang", "detected").len("rows")
    counted = counted.sort("rows", "source", "lang", "detected", descending=[True, False, False, False])
    return {
        "method": "kept rows with a declared language, whose detected language is another; undetermined ones left out",
        "rows": int(unlike.sum()),
        "kept": int(kept.sum()),
        **example(view, kept, "another language"),
        "pairs": counted.head(LISTED).to_dicts(),
        "examples": [{"row": row} for row in draw(view, kept, "other language", size=3)],
    }
