"""Tell whether the response has the form that its prompt asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import polars as pl

from curate import fences, languages, mend, rulebook, text

# Longest response that is parsed as JSON, in characters: an answer, not a data set.
LONGEST = 200_000
# Words beside the option that a short answer may have: "The answer is (B), because".
BESIDE = 6
# JSON is asked for as the form of the answer; prompts about JSON ("parse this JSON") are not meant.
_JSON = re.compile(
    r"(?i)\b(?:(?:in|as|to|into|using|valid|only|return(?:ing)?|output|respond with|reply with|produce|formatted as)"
    r"\s+(?:an?\s+|the\s+|valid\s+|single\s+|well-formed\s+){0,4}json|json\s+(?:format|object|array|output|only|list)\b)"
)
_ABOUT = re.compile(
    r"(?i)\b(?:function|code|script|program|class|parse|python|javascript|java|sql|explain|difference|what is)\b"
)
# What is not wanted as JSON, and JSON of one value per line (https://jsonlines.org).
_UNWANTED = re.compile(
    r"(?i)(?:\b(?:not|never|no|without|avoid|instead of|rather than)|n['’]t)\b[^.!?\n]{0,40}\bjson\b"
)
_LINES = re.compile(r"(?i)\bjson[ -]?lines\b|\bjsonl\b|\bndjson\b")
_LETTERED = re.compile(r"(?:^|\n|\s)[(\[]?([A-J])[)\].:]\s+(?=\S)")
# What stands between the names of people whose initials look like letters of options.
_BETWEEN_NAMES = re.compile(r"(?:\b(?:and|or)|[&,])$")
_LETTER = re.compile(
    r"(?:(?i:(?:the )?(?:correct |best |right )?(?:answer|option|choice)(?: is)?:?\s*))?[(\[]?([A-Z])[)\].:]?(?:\s|$)"
)
_NUMBER = re.compile(
    r"(?i)\d|[=∞π√]|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|third|quarter|dozen"
    r"|hundred|thousand|million|none|infinity|[a-z])\b"
)
_WHETHER = re.compile(
    r"(?i)\b(?:answer|reply|respond|say|write)(?: only)?(?: with)?[ :]+[\"'(]?(yes or no|true or false)\b"
)
_SCHEMA = {"expects": pl.String, "valid": pl.Boolean}
_Verdict = tuple[str | None, bool | None]


def format(rows: pl.DataFrame) -> pl.DataFrame:
    """Tell whether the response has the form that its prompt asks for.

    It looks at prompt and response, so it has no `column`. What is asked for is known from the task (multiple choice:
    one of the choices; maths: a number) or read in the prompt: options with letters, "answer yes or no", JSON. Prompts
    turned round (a question wanted for an answer) have no verdict, nor have answers so long that they explain. Options
    with letters are seen in any language, the words that ask for JSON, yes or no in English alone.

    Args:
        rows: instruction rows.

    Signals:
        expects (str): json, letter, choice, number or yes_no; null where nothing is known to be asked for.
        valid (bool): the response has that form: JSON that parses, a letter among the options, one of the choices, a
            number, yes or no; null where nothing is known to be asked for, the answer is too long to tell, or a number
            may be told in words of another language than English.
    """
    wanted = rows.select("task", "template", "prompt", "response", "slots")
    found = pl.DataFrame([_verdict(row) for row in wanted.iter_rows(named=True)], schema=_SCHEMA, orient="row")
    wordy = (found["expects"] == "number") & ~found["valid"]
    return found.with_columns(valid=found["valid"].set(wordy & ~_english(rows, wordy), None))


def _english(rows: pl.DataFrame, among: pl.Series) -> pl.Series:
    """Tell which of some rows are known to be English: numbers in words are known of it alone."""
    declared = rows["lang"].str.to_lowercase().str.extract(r"^([a-z]+)")
    texts = (rows["prompt"] + "\n" + rows["response"]).set(~among.fill_null(False) | declared.is_not_null(), None)
    guesses = pl.Series([guess for guess, _ in languages.named(texts)], dtype=pl.String)
    return (declared.fill_null(guesses) == "en").fill_null(False)


def _verdict(row: Mapping[str, Any]) -> _Verdict:
    """Return both signals of a row."""
    prompt, response = row["prompt"], row["response"]
    if prompt is None or response is None:
        return None, None
    if _JSON.search(prompt) and not _ABOUT.search(prompt):
        return (
            (None, None) if _UNWANTED.search(prompt) else ("json", _parses(response, lines=bool(_LINES.search(prompt))))
        )
    if (row["template"] or "").partition(":")[0] in _inverted():
        return None, None
    slots = json.loads(row["slots"] or "{}")
    if row["task"] == "multiple_choice" and isinstance(slots.get("choices"), list):
        return "choice", _same(slots.get("answer")) in {_same(choice) for choice in slots["choices"]}
    if row["task"] == "math":
        return "number", _NUMBER.search(str(slots.get("answer", response))) is not None
    return _among_options(prompt, response)


def _among_options(prompt: str, response: str) -> _Verdict:
    """Return what the options in a prompt make of a response."""
    whether = _WHETHER.search(prompt)
    if whether:
        first = re.match(r"\W*(\w+)", response)
        said = first[1].lower() if first else ""
        return "yes_no", said in whether[1].lower().split(" or ")
    letters, options = _options(prompt)
    if len(letters) < 2 or len(text.tokens(response)) > max(map(len, map(text.tokens, options))) + BESIDE:
        return None, None
    named = _LETTER.match(response.strip())
    if named and (len(response.split()) > 1 or len(response.strip(" ().[]:")) == 1) and named[1] not in ("I", *letters):
        return "letter", False
    if named and named[1] in letters:
        return "letter", True
    said = _same(response)
    if said and any(said in _same(option) or _same(option) in said for option in options if _same(option)):
        return "letter", True
    return ("letter", False) if not said or len(said) == 1 else (None, None)


def _options(prompt: str) -> tuple[list[str], list[str]]:
    """Return the letters of the last list of options in a prompt, A, B, C and on, and what stands behind each."""
    found = list(_LETTERED.finditer(prompt))
    start = max((place for place, match in enumerate(found) if match[1] == "A"), default=None)
    if start is None:
        return [], []
    letters, options = [], []
    for place, match in enumerate(found[start:]):
        if match[1] != chr(ord("A") + place):
            break
        end = found[start + place + 1].start() if start + place + 1 < len(found) else len(prompt)
        option = prompt[match.end() : end].split("\n")[0].strip()
        if "." in match[0] and place + 1 < len(found) - start and _BETWEEN_NAMES.search(option):
            return [], []
        letters.append(match[1])
        options.append(option)
    return letters, options


def _parses(response: str, *, lines: bool) -> bool | None:
    """Tell whether a response is JSON, or has blocks that are, where wanted of one value in each line."""
    blocks = [response[start:end] for language, start, end in fences.blocks(response)[0] if language in ("", "json")]
    values = blocks or [response]
    for value in (line for one in values for line in one.split("\n") if line.strip()) if lines else values:
        if len(value) > LONGEST:
            return None
        try:
            mend.check(value)
        except RecursionError:
            return None
        except ValueError:
            return False
    return True


def _same(value: Any) -> str:
    return text.normalise(str(value)).strip(" .")


@cache
def _inverted() -> frozenset[str]:
    """Return the bundled templates that ask for an input, given the answer."""
    families = rulebook.families().values()
    return frozenset(one.id for family in families for one in family.templates if one.kind == "inverted")
