"""Check what can be checked: arithmetic, final answers, code and calls of tools."""

from __future__ import annotations

import ast
import json
import re
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import polars as pl

from curate import arithmetic, calls, fences, mend
from curate.schema import Measured

# Longest block that is parsed, in characters, about 500 lines: 20,000 of dotted names take TOML's parser a second. The
# one of Python gives up by itself at 200 brackets in each other.
LONGEST = 20_000
MATH = "math"
# Where data says its final answer: GSM8K's `#### 72`, and "answer is", "answer:", "answer =" in worked answers, bold or
# not; the `\boxed{72}` of formulas, when it holds nothing but a number.
_FINAL = re.compile(
    r"(?:####|(?i:\banswer\**(?:\s+is:?|\s*[:=])))[\s*]*([$€£]?-?\d[\d,]*(?:\.\d+)?%?)(?![\d/])"
    r"|\\boxed\{\s*([$€£]?-?\d[\d,]*(?:\.\d+)?%?)\s*\}"
)
# Lines of a notebook, with which no statement of Python begins: `!pip install polars`, `%matplotlib inline`.
_NOTEBOOK = re.compile(r"^([ \t]*)[!%]{1,2}[A-Za-z].*$", re.MULTILINE)
# Words in which the last step of a calculation may be told instead of written out: these by themselves, and those where
# another number stands beside them ("ten times that"; "5 more" alone is a unit).
_FACTORS = re.compile(r"(?i)\b(?:twice|thrice|half|double|triple|third|quarter)\b")
_STEPS = re.compile(r"(?i)\b(?:times|more|less|fewer|minus|plus|each|per)\b")
_SPELT = re.compile(
    r"(?i)\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million)\b"
)
_NUMBER = re.compile(r"[$€£]?\d[\d,]*(?:\.\d+)?%?")
_SCHEMA: dict[str, pl.DataType] = {"checked": pl.UInt32(), "wrong": pl.UInt32(), "failed": pl.List(pl.String)}
_TABLE = {"id": pl.String, "kind": pl.String, "said": pl.String, "fault": pl.String}
# Characters of a claim that the table shows.
_SHOWN = 200
# What is claimed, what is wrong with it (None when nothing is), and the kind of claim.
_Claim = tuple[str, str, str | None]


def verify(rows: pl.DataFrame) -> Measured:
    """Check what can be checked: arithmetic, final answers, code and calls of tools.

    It looks at the response, in maths at the rationale too, and for calls at all assistant turns, so it has no
    `column`. Nothing is ever run, and any language will do.

    Arithmetic is equations of numbers and + - * / ( ) %, worked out exactly, of GSM8K's data the notes `<<48/2=24>>`; a
    result may be rounded to the digits it is written with. A final answer is checked against what was worked out
    before it: wrong when it is equal to no result. Fenced blocks called python, json or toml must parse; Python is the
    version that runs this. Calls must name a declared tool and fit its JSON schema.

    Args:
        rows: instruction rows.

    Signals:
        checked (u32): claims that could be checked; null where there is none.
        wrong (u32): those that are wrong; null where there is none to check.
        failed (list[str]): kinds of the wrong ones, sorted: answer, arithmetic, json, python, tool_call, toml; null
            where there is none to check.

    Tables:
        faults: id, kind, said (its first 200 characters) and fault of each claim that is wrong.
    """
    signals: list[tuple[int | None, int | None, list[str] | None]] = []
    faults: list[tuple[str, str, str, str]] = []
    for row in rows.select("id", "task", "response", "slots", "messages", "meta").iter_rows(named=True):
        claims = list(_claims(row))
        wrong = [(row["id"], kind, said[:_SHOWN], fault) for kind, said, fault in claims if fault is not None]
        faults += wrong
        kinds = sorted({kind for _, kind, _, _ in wrong})
        signals.append((len(claims), len(wrong), kinds) if claims else (None, None, None))
    table = pl.DataFrame(faults, schema=_TABLE, orient="row")
    return Measured(pl.DataFrame(signals, schema=_SCHEMA, orient="row"), {"faults": table})


def _claims(row: Mapping[str, Any]) -> Iterator[_Claim]:
    """Yield every claim of a row that can be checked."""
    response = row["response"]
    if response is None:
        return
    yield from _worked(row, response)
    for language, start, end in fences.blocks(response)[0]:
        if language in _PARSERS and end - start <= LONGEST:
            block = response[start:end].strip("\n")
            if block.strip():
                yield _NAMES.get(language, language), block, _unparsed(block, _PARSERS[language])
    meta = row["meta"] or "{}"
    if '"tool' in meta or '"function' in meta or "<tool_call>" in response:
        yield from _called(row["messages"], meta)


def _worked(row: Mapping[str, Any], response: str) -> Iterator[_Claim]:
    """Yield the arithmetic of a response, and its final answer where there is one."""
    slots = json.loads(row["slots"] or "{}") if row["task"] == MATH else {}
    rationale = str(slots.get("rationale", ""))
    working = response if not rationale or rationale in response else f"{rationale}\n{response}"
    found = list(arithmetic.equations(working))
    for one in found:
        yield "arithmetic", one.said, None if one.right else f"is {_shown(one.exact)}"
    finals = [one or boxed for one, boxed in _FINAL.findall(response)]
    said = finals[-1] if finals else str(slots["answer"]) if "answer" in slots else ""
    value = arithmetic.number(said)
    if found and value is not None:
        plain = arithmetic.equations(arithmetic.without_notes(working))
        results = {result for one in (*found, *plain) for result in (one.value, one.exact)}
        mixed = arithmetic.hundredths(f"{working} {said}")
        near = any(arithmetic.agrees(result, said, mixed=mixed) for result in results)
        after = working[working.rfind(found[-1].said) + len(found[-1].said) :]
        if near or not (
            _told(after, {value, found[-1].value, found[-1].exact})
            or _stated(rationale if not finals else working, value, len(finals))
        ):
            yield "answer", said, None if near else f"worked out: {_shown(found[-1].value)}"


def _stated(working: str, value: Fraction, finals: int) -> bool:
    """Tell whether a final answer stands in the working beside the places that name it: it may have come in words."""
    return sum(arithmetic.number(one) == value for one in _NUMBER.findall(working)) > finals


def _told(after: str, known: set[Fraction]) -> bool:
    """Tell whether a text after the last equation may tell one more step, with other numbers than its result."""
    if _FACTORS.search(after):
        return True
    others = {arithmetic.number(one) for one in _NUMBER.findall(after)} - known
    return bool(_STEPS.search(after) and (others or _SPELT.search(after)))


def _called(messages: list[Mapping[str, Any]], meta: str) -> Iterator[_Claim]:
    """Yield the calls of tools in a conversation."""
    try:
        data = json.loads(meta)
    except (ValueError, RecursionError):
        return
    known = calls.schemas(data)
    for name, arguments in calls.calls(messages, data, declared=known is not None):
        yield "tool_call", name, calls.fault(name, arguments, known)


def _unparsed(block: str, parse: Callable[[str], Any]) -> str | None:
    """Return why a block does not parse, None when it does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a backslash in a string is no fault of form
        try:
            parse(block)
        except (SyntaxError, ValueError) as error:
            return str(error.args[0] if error.args else error)[:_SHOWN] or type(error).__name__
        except (RecursionError, MemoryError):
            return None
    return None


def _python(block: str) -> None:
    """Parse Python; of a session at the prompt the lines that were typed, of indented code its own first column.

    Lines of a notebook that go to its shell or are its own commands stand for a statement.
    """
    lines = block.split("\n")
    if any(line.startswith(">>> ") for line in lines):
        lines = [line[4:] for line in lines if line.startswith((">>> ", "... "))]
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    plain = "\n".join(line[margin:] for line in lines)
    try:
        ast.parse(plain)
    except SyntaxError:
        without = _NOTEBOOK.sub(r"\1pass", plain)
        if without == plain:
            raise
        ast.parse(without)


def _shown(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{float(value):.6g}"


_PARSERS: dict[str, Callable[[str], Any]] = {
    "python": _python,
    "py": _python,
    "python3": _python,
    "json": mend.check,
    "toml": tomllib.loads,
}
_NAMES = {"py": "python", "python3": "python"}
