"""Propose repairs of texts; what is proposed is never applied here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from curate import clean, fences, mend, rulebook
from curate.rulebook import Pattern
from curate.schema import Measured

RULES = {"patterns": ("patterns/markers",)}
# Characters at either end of a turn in which a marker is looked for. Behind a marker at the start the patterns look for
# signs of a document or a dialogue of which it is a part; 2,000 are some paragraphs.
_HEAD, _TAIL = 2000, 120
# Markers that may follow each other at one edge, as in `</s><|im_end|>`.
_ROUNDS = 6
# What the two sides of a change may share of a word, so that `before` can be read: `Tom&amp;Jerry`, not `amp;`.
_WORD = 30
_LEFT, _RIGHT = re.compile(r"\S*\Z"), re.compile(r"\S*")
# What a turn must hold before a kind of repair is tried, in the dialect of polars: most turns hold nothing.
_NEEDS = {
    "entities": "&#?[0-9A-Za-z]{1,24};",
    "mojibake": "[^\\x00-\\x7f]",
    "controls": "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\u{9f}\\u{feff}]",
    "markers": (
        r"<\||</?s>|<(?:bos|eos|start_of_turn|end_of_turn)>|\[/?INST\]|<</?SYS>>"
        r"|## ?(?:Response|Assistant|Human|User|Instruction):|(?:Assistant|ASSISTANT|Human|HUMAN|User|USER):"
    ),
    "fences": "```",
    "json": r"^\s*[\[{]|```",
}
KINDS = tuple(_NEEDS)
_PROPOSAL = {
    "turn": pl.UInt32,
    "kind": pl.String,
    "role": pl.String,
    "start": pl.UInt32,
    "end": pl.UInt32,
    "before": pl.String,
    "after": pl.String,
}


@dataclass(frozen=True)
class _Turn:
    """What is known of a turn: its text, whose it is, and whether JSON is asked for before it."""

    text: str
    role: str
    wanted: bool


def repair(rows: pl.DataFrame) -> Measured:
    """Propose repairs: encoding, entities, control characters, markers, code fences, JSON.

    It looks at every turn, so it has no `column`. What is proposed leaves the row as it is: `mojibake`, `entities` and
    `controls` are made at ingest when the source names them in `clean`, all are written by `curate export` beside the
    rows. HTML entities count only in turns without `<`, which else may be about HTML. Fences and JSON are looked at in
    the assistant's turns alone; `curate.mend` tells broken JSON from text in brackets. Each proposal replaces one
    stretch of the turn as it is, whatever else is proposed for it.

    Args:
        rows: instruction rows.

    Signals:
        kinds (list[str]): kinds of repairs proposed, sorted, each once: controls, entities, fences, json, markers,
            mojibake; null where the response is null.
        count (u32): proposals, one for each kind and turn; null where the response is null.

    Tables:
        proposals: id, turn (from 0), kind, role, start, end (code points in the turn), before (what stands there) and
            after (what would).
    """
    patterns = rulebook.patterns("markers")
    places: list[int] = []
    found: list[tuple[int, str, str, int, int, str, str]] = []
    for row, number, role, text, wanted, *flags in _suspects(rows).iter_rows():
        turn = _Turn(text, role, wanted)
        kinds = [kind for kind, flag in zip(KINDS, flags, strict=True) if flag]
        proposed = [(number, kind, role, *window) for kind, window in _proposals(turn, kinds, patterns)]
        places += [row] * len(proposed)
        found += proposed
    owners = pl.Series("row", places, dtype=pl.UInt32)
    table = pl.DataFrame(found, schema=_PROPOSAL, orient="row").insert_column(0, rows.get_column("id").gather(owners))
    return Measured(_signals(rows, owners, table["kind"]), {"proposals": table})


def _suspects(rows: pl.DataFrame) -> pl.DataFrame:
    """Return row, turn, role, text, whether JSON is asked for, and a flag for each kind, of turns worth a look."""
    field = pl.col("messages").struct.field
    turns = (
        rows.select(pl.col("messages"), row=pl.int_range(pl.len(), dtype=pl.UInt32))
        .with_columns(turn=pl.int_ranges(pl.col("messages").list.len(), dtype=pl.UInt32))
        .explode("messages", "turn", empty_as_null=False, keep_nulls=False)
        .select("row", "turn", field("role").alias("role"), field("content").alias("text"))
        .drop_nulls()
    )
    said = pl.col("text").str
    flags = [said.contains(need).alias(kind) for kind, need in _NEEDS.items()]
    found = turns.with_columns(flags).filter(pl.any_horizontal(KINDS))
    asked = rows.select(wanted=pl.col("prompt").str.contains("(?i)json").fill_null(False))
    return found.select("row", "turn", "role", "text", asked["wanted"].gather(found["row"]).alias("wanted"), *KINDS)


def _signals(rows: pl.DataFrame, owners: pl.Series, kinds: pl.Series) -> pl.DataFrame:
    """Return kinds and count of every row from the row and kind of every proposal."""
    grouped = (
        pl.DataFrame({"row": owners, "kind": kinds}, schema={"row": pl.UInt32, "kind": pl.String})
        .group_by("row")
        .agg(kinds=pl.col("kind").unique().sort(), count=pl.len().cast(pl.UInt32))
    )
    everyone = rows.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"), known=pl.col("response").is_not_null())
    joined = everyone.join(grouped, on="row", how="left", maintain_order="left")
    none = pl.lit([], dtype=pl.List(pl.String))
    return joined.select(
        kinds=pl.when("known").then(pl.col("kinds").fill_null(none)),
        count=pl.when("known").then(pl.col("count").fill_null(0)),
    )


def _proposals(
    turn: _Turn, kinds: Sequence[str], patterns: Sequence[Pattern]
) -> Iterator[tuple[str, tuple[int, int, str, str]]]:
    """Yield kind and window of each repair that would change the turn."""
    for kind in kinds:
        after = _without_markers(turn, patterns) if kind == "markers" else _REPAIRS[kind](turn)
        if after is not None and after != turn.text:
            yield kind, window(turn.text, after)


def window(before: str, after: str) -> tuple[int, int, str, str]:
    """Return start, end, old and new text of the one stretch in which two texts differ, widened to whole words."""
    start = _common(before, after, lambda text, size: text[:size])
    tail = _common(before[start:], after[start:], lambda text, size: text[len(text) - size :])
    start -= len(_LEFT.findall(before[max(0, start - _WORD) : start])[0])
    tail -= len(_RIGHT.findall(before[len(before) - tail :][:_WORD])[0])
    return start, len(before) - tail, before[start : len(before) - tail], after[start : len(after) - tail]


def _common(one: str, other: str, part: Callable[[str, int], str]) -> int:
    """Return the greatest size at which the parts of both texts are equal, by halving: slices compare fast."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if part(one, middle) == part(other, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _cleaned(name: str) -> Callable[[_Turn], str | None]:
    """Return what a repair of the reader makes of a turn."""
    return lambda turn: str(clean.clean(turn.text, repairs=(name,), counts={}))


def _entities(turn: _Turn) -> str | None:
    """Leave a turn with `<` alone, as ftfy does: in HTML the entities are meant."""
    return None if "<" in turn.text else _cleaned("entities")(turn)


def _controls(turn: _Turn) -> str | None:
    """Remove control characters, but those that are misread letters."""
    kept = _cleaned("mojibake")(turn) or ""
    return clean.CONTROLS.sub("", turn.text) if clean.CONTROLS.search(kept) else None


def _without_markers(turn: _Turn, patterns: Sequence[Pattern]) -> str | None:
    """Take markers from both edges, one after the other; what a tool returns is not ours to judge."""
    if turn.role == "tool":
        return None
    text = turn.text
    for _ in range(_ROUNDS):
        before = text
        for pattern in patterns:
            at = 0 if pattern.kind == "start" else max(0, len(text) - _TAIL)
            match = pattern.regex.search(text[:_HEAD] if pattern.kind == "start" else text[at:])
            if match:
                group = "marker" if "marker" in pattern.regex.groupindex else 0
                text = text[: at + match.start(group)] + text[at + match.end(group) :]
        if text == before:
            break
    return text


def _fences(turn: _Turn) -> str | None:
    """Close the fence that is open at the end; one with nothing behind it is itself the leftover."""
    opened = fences.blocks(turn.text)[1] if turn.role == "assistant" else None
    if opened is None:
        return None
    if not turn.text[opened.end() :].strip():
        return turn.text[: opened.start()].rstrip() if not opened[2].strip() else None
    return f"{turn.text.rstrip()}\n{opened[1]}"


def _json(turn: _Turn) -> str | None:
    """Mend the JSON that the answer is, or that its fenced blocks hold."""
    if turn.role != "assistant":
        return None
    whole = mend.mended(turn.text, wanted=turn.wanted)
    if whole is not None:
        return whole
    text = turn.text
    for language, start, end in reversed(fences.blocks(text)[0]):
        named = language.startswith("json")
        better = mend.mended(text[start:end], wanted=named or turn.wanted) if named or not language else None
        if better is not None:
            text = f"{text[:start]}\n{better}\n{text[end:]}"
    return text


_REPAIRS: dict[str, Callable[[_Turn], str | None]] = {
    "entities": _entities,
    "mojibake": _cleaned("mojibake"),
    "controls": _controls,
    "fences": _fences,
    "json": _json,
}
