"""One record in one template: what it must have to fit, the derived values, the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from curate.options import LABELS, ordered
from curate.rulebook import DERIVED, Family, Template
from curate.schema import prompt_and_response
from curate.templates import letter_name, program

_DERIVED = frozenset(DERIVED)


@dataclass(frozen=True)
class Exemplar:
    """A record that may speak in the rows of others."""

    record: str
    slots: Mapping[str, Any]


@dataclass(frozen=True)
class Pool:
    """What is fixed per source before it is cut into shards.

    Args:
        labels: the sorted label set, empty if there is none.
        exemplars: records that may be examples in a prompt, or earlier turns of a dialogue.
    """

    labels: tuple[str, ...] = ()
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True)
class Rendered:
    """One rendering: what the columns of the same names hold."""

    template: str
    messages: list[dict[str, Any]]
    prompt: str
    response: str
    parents: list[str]


@dataclass(frozen=True)
class Ground:
    """What the records of a source share."""

    family: Family
    pool: Pool
    seed: int

    @cached_property
    def labels(self) -> frozenset[str]:
        """The label set where it is small enough to be listed, else none."""
        listed = "label" in self.family.target and len(self.pool.labels) in LABELS
        return frozenset(self.pool.labels if listed else ())


@dataclass(frozen=True)
class One:
    """A record to be rendered."""

    record: str
    slots: Mapping[str, Any]
    ground: Ground

    def other(self, exemplar: Exemplar) -> One:
        """Return another record of the same source."""
        return One(exemplar.record, exemplar.slots, self.ground)


def fits(template: Template, present: set[str]) -> bool:
    """Tell whether a record that has these slots and derived values can be worded so."""
    return present.issuperset(template.needs) and present.isdisjoint(template.without)


def present(one: One) -> set[str]:
    """Return the names of slots and derived values that this record has."""
    return {*one.slots, *DERIVED} if has_options(one) else set(one.slots)


def has_options(one: One) -> bool:
    """Tell whether the answer is a choice among few: listed in the record, or a label of a small known set."""
    if "choices" in one.slots:
        return one.slots.get("answer") in one.slots["choices"]
    label = one.slots.get("label")
    return isinstance(label, str) and label in one.ground.labels


def unanswered(one: One) -> bool:
    """Tell whether a part of the answer is empty or blank."""
    for slot in one.ground.family.target:
        if slot in one.slots:
            value = one.slots[slot]
            if not value or (isinstance(value, str) and value.isspace()):
                return True
    return False


def values(one: One, template: Template) -> Mapping[str, Any]:
    """Return slots and the derived values that the template needs."""
    if _DERIVED.isdisjoint(template.needs):
        return one.slots
    choices = one.slots.get("choices", one.ground.pool.labels)
    answer = one.slots["answer" if "choices" in one.slots else "label"]
    options = ordered(choices, record=one.record, seed=one.ground.seed)
    place = options.index(answer)
    return {**one.slots, "options": options, "letter": letter_name(place), "number": str(place + 1)}


def filled(one: One, template: Template) -> tuple[str, str]:
    """Return prompt and response."""
    found = values(one, template)
    return program(template.prompt)(found), program(template.response)(found)


def plain(one: One, template: Template) -> Rendered:
    """Return the row of a record alone.

    Raises:
        ValueError: when its prompt is blank, or a conversation has no answer.
    """
    if template.turns is not None:
        turns = [{**turn, "train": turn["role"] == "assistant"} for turn in one.slots[template.turns]]
        return conversation(template.id, turns)
    prompt, response = filled(one, template)
    return row(template.id, prompt, response)


def row(template: str, prompt: str, response: str, *, parents: Sequence[str] = ()) -> Rendered:
    """Return the row of one question and its answer, which is trained on."""
    _require_words(prompt, template)
    messages = [
        {"role": "user", "content": prompt, "train": False},
        {"role": "assistant", "content": response, "train": True},
    ]
    return Rendered(template, messages, prompt, response, list(parents))


def conversation(template: str, turns: list[dict[str, Any]], *, parents: Sequence[str] = ()) -> Rendered:
    """Return the row of a conversation."""
    prompt, response = prompt_and_response(turns)
    _require_words(prompt, template)
    return Rendered(template, turns, prompt, response, list(parents))


def _require_words(prompt: str, template: str) -> None:
    if not prompt or prompt.isspace():
        raise ValueError(f"the prompt that template '{template}' gives is blank")
