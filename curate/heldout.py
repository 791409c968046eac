"""Held-out items: which pieces of their text give them away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate import rulebook, schema, text
from curate.errors import INPUT, UserError

# An answer of so many words gives its item away by itself: n of Tulu 3, below which runs are common property.
LONG = 8
# From half on something is said to stand in a text, as with the bound of Tulu 3.
HALF = 0.5
_SUFFIXES = (".jsonl", ".txt")
# Forms of data that are not read here: left out without a word, items in them would be taken for unseen.
_OTHERS = (".json", ".csv", ".tsv", ".parquet", ".arrow", ".ndjson", ".gz", ".zst", ".xlsx")
_WAY = {"item": pl.Int64, "way": pl.Int64, "piece": pl.Int64, "entire": pl.Boolean}


@dataclass(frozen=True)
class Items:
    """What is held out, and how it is recognised.

    Args:
        ids: of the items, in ascending order.
        texts: what is compared, whole.
        answers: what each item answers, blank where that is not known.
        asked: the words of what asks for it.
        references: the items that come from reference files.
        pieces: the words of each distinct piece.
        ways: item, way, piece, entire: an item is given away by all pieces of one of its ways; where `entire` is true
            only by a text that is nothing else, since its few words stand in many innocent texts.
        passages: the words of what is put in beside questions.
        around: piece, passage: a question, and what is put in beside it, which may hold its words without asking it.
    """

    ids: list[str]
    texts: list[str]
    answers: list[str]
    asked: list[list[str]]
    references: frozenset[int]
    pieces: list[list[str]]
    ways: pl.DataFrame
    passages: list[list[str]]
    around: list[tuple[int, int]]


@dataclass(frozen=True)
class _Item:
    """One item: its text, its answer, and pieces in ever larger sets, of which the first that is its own is taken."""

    id: str
    text: str
    answer: str
    rungs: list[tuple[str, ...]]
    long: list[str]
    around: str = ""
    reference: bool = False


def items(heldout: pl.DataFrame, *, column: str, whole: int, references: Path | None) -> Items:
    """Return the distinct held-out items.

    Args:
        heldout: rows of the held-out sources.
        column: the text compared.
        whole: least words of what gives an item away inside of a longer text.
        references: more items, a file or folder.
    """
    families = rulebook.families() if column == "content" else {}
    rows = [_of_row(row, families.get(row.get("task") or ""), column) for row in _distinct(heldout, column)]
    found = sorted([*rows, *(_of_reference(*one) for one in _references(references))], key=lambda one: one.id)
    asked = Counter(one.rungs[0] for one in found)
    given = Counter(one.rungs[:2][-1] for one in found)
    answered = Counter(words for one in found for words in set(one.long))
    numbers: dict[str, int] = {}
    passages: dict[str, int] = {}
    ways: list[tuple[int, int, int, bool]] = []
    around: list[tuple[int, int]] = []
    way = 0
    for number, one in enumerate(found):
        own = asked[one.rungs[0]] == given[one.rungs[:2][-1]]
        enough = [rung for rung in (one.rungs if own else one.rungs[1:]) if _size(rung) >= whole]
        sets = [enough[0] if enough else one.rungs[-1]]
        sets += [(words,) for words in one.long if answered[words] == 1 and (words,) not in sets]
        for pieces in sets:
            entire = _size(pieces) < whole
            ways += [(number, way, numbers.setdefault(piece, len(numbers)), entire) for piece in pieces]
            way += 1
        if one.around and sets[0] == one.rungs[0]:
            around += [(numbers[piece], passages.setdefault(one.around, len(passages))) for piece in sets[0]]
    frame = pl.DataFrame(ways, schema=_WAY, orient="row")
    split = [piece.split(" ") for piece in numbers]
    return Items(
        ids=[one.id for one in found],
        texts=[one.text for one in found],
        answers=[one.answer for one in found],
        asked=[" ".join(one.rungs[0]).split() for one in found],
        references=frozenset(number for number, one in enumerate(found) if one.reference),
        pieces=split,
        ways=frame,
        passages=[passage.split(" ") for passage in passages],
        around=sorted(set(around)),
    )


def share(words: Sequence[str], others: Sequence[str]) -> float:
    """Return how much of some words stands in others: all of up to two in one place, of more those in shared pairs.

    Args:
        words: looked for.
        others: looked in.
    """
    if len(words) <= 2:
        return float(tuple(words) in set(text.ngrams(others, len(words))) if words else 0)
    pairs = set(text.ngrams(others, 2))
    inside = [pair in pairs for pair in text.ngrams(words, 2)]
    both = [left or right for left, right in zip([False, *inside], [*inside, False], strict=True)]
    return sum(both) / len(words)


def _size(rung: Sequence[str]) -> int:
    return sum(piece.count(" ") + 1 for piece in rung)


def _distinct(heldout: pl.DataFrame, column: str) -> list[dict[str, Any]]:
    """Return each distinct held-out text with its row of lowest id."""
    known = [name for name in ("id", "task", "slots", "response") if name in heldout.columns]
    named = heldout.select(known).with_columns(text=schema.column_text(heldout, column))
    return named.drop_nulls("text").sort("id").unique("text", keep="first", maintain_order=True).to_dicts()


def _of_row(row: Mapping[str, Any], family: rulebook.Family | None, column: str) -> _Item:
    """Return the item of a held-out row.

    What asks for the answer identifies it: the question where its family has one, otherwise all that is put in. A
    question that others ask of another passage needs the passage too, and a very short one its answer.
    """
    whole, answer = row["text"], row.get("response") or ""
    slots: dict[str, Any] = orjson.loads(row["slots"]) if family and row.get("slots") else {}
    if family and any(name in slots for name in family.inputs):
        given = [name for name in family.inputs if name in slots]
        targets = [name for name in family.target if name in slots]
        required = [name for name in given if name in family.slots]
        asked = ["question"] if "question" in given else required or given
        if "context" in given and len(text.words(_text(slots[asked[0]]))) < LONG:
            asked = [name for name in given if name in ("question", "context")]
        answers = [_text(slots[name]) for name in targets]
        rungs = [_rung(_text(slots[name]) for name in names) for names in (asked, given, [*given, *targets])]
        around = " ".join(_rung(_text(slots[name]) for name in given if name == "context" and name not in asked))
        return _Item(row["id"], whole, answers[0] if answers else answer, rungs, _own(answers, rungs[1]), around)
    if column == "content" and whole.endswith(answer):
        rungs = [_rung([whole[: len(whole) - len(answer)]]), _rung([whole])]
        return _Item(row["id"], whole, answer, [rung for rung in rungs if rung] or [()], _own([answer], rungs[0]))
    return _Item(row["id"], whole, "", [_rung([whole])], [])


def _of_reference(name: str, fields: Sequence[str]) -> _Item:
    """Return the item of a line of a reference file: whole, or by any field of some length."""
    whole = "\n".join(fields)
    return _Item(name, whole, "", [_rung([whole])], _long(fields) if len(fields) > 1 else [], reference=True)


def _rung(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the words of some texts, each text once, none without words."""
    found = (" ".join(text.words(one)) for one in texts)
    return tuple(dict.fromkeys(words for words in found if words))


def _long(texts: Iterable[str]) -> list[str]:
    return [words for words in _rung(texts) if words.count(" ") + 1 >= LONG]


def _own(answers: Iterable[str], given: Sequence[str]) -> list[str]:
    """Return the long answers that are not taken from what is given: a passage would give all its questions away."""
    inputs = " ".join(given).split()
    return [words for words in _long(answers) if share(words.split(), inputs) < HALF]


def _text(value: Any) -> str:
    """Return the text of a slot; of turns what is said."""
    if isinstance(value, str):
        return value
    return "\n".join(one if isinstance(one, str) else str(one["content"]) for one in value)


def reference_files(path: Path) -> list[Path]:
    """Return the files that a path to references means, sorted.

    Raises:
        UserError: when there are none, or some in a form that is not read.
    """
    inside = sorted(one for one in (path.rglob("*") if path.is_dir() else [path]) if one.is_file())
    fix = "name a .jsonl or .txt file, or a folder of them"
    if other := next((one for one in inside if one.suffix.lower() in _OTHERS), None):
        raise UserError(str(other), f"references are not read from {other.suffix} files", fix)
    found = [one for one in inside if one.suffix.lower() in _SUFFIXES] if path.is_dir() else inside
    if not found:
        raise UserError(str(path), "no reference file there", fix)
    return found


def _references(path: Path | None) -> list[tuple[str, list[str]]]:
    """Return name (file and line) and texts of each line of reference files; of a JSON object its text values.

    Raises:
        UserError: when a file cannot be read, or all of them hold no words.
    """
    found: list[tuple[str, list[str]]] = []
    for file in reference_files(path) if path else []:
        try:
            name = file.relative_to(path).as_posix() if path and path.is_dir() else file.name
            lines = file.read_text(encoding="utf-8-sig").split("\n")
            for number, line in enumerate(lines, 1):
                if line.strip():
                    value = orjson.loads(line) if file.suffix.lower() == ".jsonl" else line
                    found.append((f"{name}:{number}", list(_strings(value))))
        except (OSError, ValueError) as error:
            fix = "one JSON value per line in .jsonl, one item per line in any other file, UTF-8"
            raise UserError(str(file), f"cannot be read: {error}", fix, code=INPUT) from error
    known = [(name, fields) for name, fields in found if any(text.words(one) for one in fields)]
    if path and not known:
        raise UserError(str(path), "no text with words in it", "one item per line; JSON values with texts", code=INPUT)
    return known


def _strings(value: Any) -> Iterable[str]:
    """Give all texts of a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)
