"""Which format instruction data is in, told from the keys of its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# A format is said to be found when at least this share of the sample has it: the rest are rejects, and data of which
# most records would be rejects is in another format.
SHARE = 0.5
# Where conversations are kept, in the order of preference. `chosen` is the better answer of a pair, with its prompt.
_LISTS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns", "chosen")
# Question and answer: the first pair that fits wins, so the plainest names come first.
_PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "output"),
    ("prompt", "answer"),
    ("prompt", "chosen"),
    ("instruction", "response"),
    ("instruction", "completion"),
    ("instruction", "answer"),
    ("query", "response"),
    ("query", "answer"),
    ("question", "answer"),
    ("question", "response"),
    ("question", "chosen"),
    ("input", "output"),
    ("input", "target"),
    ("input", "response"),
    ("inputs", "targets"),
    ("source", "target"),
)
# With one of these beside a pair, the pair alone is not the task: the data wants a template, not a format.
_TASK = ("context", "choices", "options", "passage", "support", "document", "label", "labels")
_ALPACA_INPUTS = ("input", "context")
_ALPACA_OUTPUTS = ("output", "response")
_SYSTEMS = ("system_prompt", "system_message")


@dataclass(frozen=True)
class Detection:
    """The format found.

    Args:
        format: one of `formats.FORMATS`.
        why: what shows it, in words.
        fields: the columns that are called otherwise than the format has them.
    """

    format: str
    why: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Candidate:
    """A format with its columns, what shows it, and the test of one record."""

    format: str
    fields: dict[str, str]
    sign: str
    fits: Callable[[Mapping[str, Any]], bool]


def detect(sample: Sequence[Any]) -> Detection | None:
    """Return the format that most of the sampled records have, or None.

    Args:
        sample: parsed records, a thousand are plenty.
    """
    records = [data for data in sample if isinstance(data, dict)]
    columns = set().union(*(record.keys() for record in records)) if records else set()
    best, most = None, 0
    for candidate in _candidates(columns):
        count = sum(candidate.fits(record) for record in records)
        # On a tie the earlier candidate stays: the more telling signs come first.
        if count > most:
            best, most = candidate, count
    if best is None or most < SHARE * len(sample):
        return None
    why = f"{best.format}, because {best.sign} in {most:,} of {len(sample):,} records"
    return Detection(best.format, why, best.fields)


def _candidates(columns: set[str]) -> list[_Candidate]:
    return [*_conversations(columns), *_alpacas(columns), *_pairs(columns)]


def _conversations(columns: set[str]) -> list[_Candidate]:
    """Return the candidates that keep turns in a list."""
    found = []
    for column in (name for name in _LISTS if name in columns):
        if column == "chosen" and "prompt" in columns:
            # Beside a prompt of its own, `chosen` is an answer; without, or with a prompt as text, a conversation.
            found.append(_Candidate("messages", {"messages": column}, _sign(column, "role"), _whole_chosen))
            continue
        own = {} if column == "messages" else {"messages": column}
        found.append(_Candidate("messages", own, _sign(column, "role"), _turns(column, "role")))
        own = {} if column == "conversations" else {"messages": column}
        found.append(_Candidate("sharegpt", own, _sign(column, "from"), _turns(column, "from")))
    return found


def _sign(column: str, key: str) -> str:
    return f"`{column}[].{key}` exists"


def _turns(column: str, key: str) -> Callable[[Mapping[str, Any]], bool]:
    def fits(record: Mapping[str, Any]) -> bool:
        value = record.get(column)
        return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and key in value[0]

    return fits


def _whole_chosen(record: Mapping[str, Any]) -> bool:
    value = record.get("chosen")
    return _turns("chosen", "role")(record) and isinstance(value, list) and len(value) > 1


def _alpacas(columns: set[str]) -> list[_Candidate]:
    """Return the candidates with an instruction and an output, and an input where there is one."""
    if "instruction" not in columns:
        return []
    given = next((name for name in _ALPACA_INPUTS if name in columns), "input")
    # `response` makes it Alpaca only with an input of some kind beside it; alone it is a plain pair.
    outputs = [name for name in _ALPACA_OUTPUTS if name in columns and (name == "output" or given in columns)]
    found = []
    for output in outputs:
        fields = {own: name for own, name in (("input", given), ("output", output)) if own != name}
        sign = f"`instruction` and `{output}` exist"
        found.append(_Candidate("alpaca", fields | _system(columns), sign, _texts("instruction", output)))
    return found


def _texts(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda record: all(isinstance(record.get(name), str) for name in names)


def _pairs(columns: set[str]) -> list[_Candidate]:
    """Return the candidates with a prompt and a completion, each a text or a list of messages."""
    if any(name in columns for name in _TASK):
        names = [("prompt", "completion"), ("prompt", "response")]
    else:
        names = list(_PAIRS)
    found = []
    for prompt, completion in names:
        if prompt in columns and completion in columns:
            fields = {own: name for own, name in (("prompt", prompt), ("completion", completion)) if own != name}
            sign = f"`{prompt}` and `{completion}` exist"
            fits = _speakable(prompt, completion)
            found.append(_Candidate("prompt_completion", fields | _system(columns), sign, fits))
    return found


def _speakable(prompt: str, completion: str) -> Callable[[Mapping[str, Any]], bool]:
    def fits(record: Mapping[str, Any]) -> bool:
        return all(isinstance(record.get(name), str) or _turns(name, "role")(record) for name in (prompt, completion))

    return fits


def _system(columns: set[str]) -> dict[str, str]:
    other = next((name for name in _SYSTEMS if name in columns), None)
    return {"system": other} if other and "system" not in columns else {}
