"""Records to instruction rows: choose templates by hash, fill them, put examples before the question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate import chance
from curate.options import LABELS, ordered
from curate.rulebook import DERIVED, Family, Template
from curate.schema import prompt_and_response
from curate.slots import content_of, meta_of, slots_of
from curate.templates import letter_name, program

__all__ = ["Exemplar", "Plan", "Pool", "Rendered", "content_of", "meta_of", "preview", "render", "slots_of"]

FEW_SHOT = "few_shot"
# What a few-shot prompt may be built on: the answer with or without the way to it.
ANSWERED = ("zero_shot", "chain_of_thought")
# Few-shot prompts hold 1 to 3 examples: that already shows the form of the answer, and every example is paid in tokens.
SHOTS = 3
# Longest example in characters, about 375 tokens: three of them leave half of a 2048-token window to the question.
EXEMPLAR_CHARACTERS = 1500
# Draws per prompt before it does without examples: with a pool of long texts the search must end, and 64 draws find a
# fit with 96 % chance even where only one exemplar in 20 is usable (1 - 0.95 ** 64).
TRIES = 64


@dataclass(frozen=True)
class Exemplar:
    """A record that may be shown as an example."""

    record: str
    slots: Mapping[str, Any]


@dataclass(frozen=True)
class Pool:
    """What is fixed per source before it is cut into shards.

    Args:
        labels: the sorted label set, empty if there is none.
        exemplars: records usable as few-shot examples.
    """

    labels: tuple[str, ...] = ()
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many renderings of which kinds.

    One rendering without examples by default, because every record then speaks exactly once, with the way to its answer
    in half of the rows whose data has one. Templates that are kept from
    training are drawn only where asked. The seed of all choices has no default: it is the recipe's.
    """

    per_record: int = 1
    kinds: tuple[str, ...] = ANSWERED
    unseen: bool = False
    seed: int


@dataclass(frozen=True)
class Rendered:
    """One rendering: what the columns of the same names hold."""

    template: str
    messages: list[dict[str, Any]]
    prompt: str
    response: str
    parents: list[str]


@dataclass(frozen=True)
class _Record:
    """A record with what all its renderings share."""

    record: str
    slots: Mapping[str, Any]
    family: Family
    pool: Pool
    seed: int

    def other(self, exemplar: Exemplar) -> _Record:
        return _Record(exemplar.record, exemplar.slots, self.family, self.pool, self.seed)


def render(record: str, slots: Mapping[str, Any], *, family: Family, pool: Pool, plan: Plan) -> list[Rendered]:
    """Render a record with `plan.per_record` different templates, or as many as fit.

    For each rendering first the kind is drawn, evenly among the allowed kinds that still have a fitting template, then
    the template. All draws are hashes of seed and record.

    Args:
        record: hash of the record.
        slots: what `slots_of` returned.
        family: the task family.
        pool: labels and exemplars of the source.
        plan: how many, which kinds, which seed.

    Raises:
        ValueError: when no template fits or a prompt is blank.
        UserError: when a template is wrong.
    """
    one = _Record(record, slots, family, pool, plan.seed)
    left = {kind: found for kind in dict.fromkeys(plan.kinds) if (found := _fitting(one, kind, plan.unseen))}
    renderings: list[Rendered] = []
    draws = 0
    while left:
        kind = _drawn(list(left), one, f"kind {draws}")
        template = _drawn(left[kind], one, f"template {draws}")
        rendered = _few_shot(one, template) if kind == FEW_SHOT else _plain(one, template)
        if rendered is not None:
            renderings.append(rendered)
            if len(renderings) == plan.per_record:
                break
        left[kind] = [other for other in left[kind] if other is not template]
        if not left[kind]:
            del left[kind]
        draws += 1
    if not renderings:
        raise ValueError(_misfit(one, plan))
    return renderings


def preview(family: Family, *, example: int = 0) -> list[Rendered]:
    """Render an example of a family with each of its templates, in the order of the file.

    What a template must do without is taken out of the example for it.
    """
    slots = slots_of(family.example[example], family=family, fields={}, labels={})
    return every("preview", slots, family=family, labels=family.example_labels)


def every(record: str, slots: Mapping[str, Any], *, family: Family, labels: Sequence[str]) -> list[Rendered]:
    """Render a record with each template of its family that fits once what it must do without is taken out."""
    pool = Pool(labels=tuple(sorted(labels)))
    shown = []
    for template in family.templates:
        kept = {slot: value for slot, value in slots.items() if slot not in template.without}
        one = _Record(record, kept, family, pool, seed=0)
        if _fits(template, _present(one)):
            shown.append(_plain(one, template))
    return shown


def _drawn(items: Sequence[Any], one: _Record, purpose: str) -> Any:
    return items[0] if len(items) == 1 else items[chance.pick(one.seed, one.record, purpose, size=len(items))]


def _fitting(one: _Record, kind: str, unseen: bool) -> list[Template]:
    """Return the templates of a kind that this record has all values for; few-shot ones may yet lack exemplars."""
    present = _present(one)
    allowed = [template for template in one.family.templates if unseen or not template.unseen]
    if _unanswered(one):
        allowed = [template for template in allowed if not template.wraps] or allowed  # else it would pass
    if kind == FEW_SHOT:
        if not one.pool.exemplars:
            return []
        return [t for t in allowed if t.kind in ANSWERED and t.turns is None and _fits(t, present)]
    if kind == "inverted" and _unanswered(one):
        return []  # an empty answer would become an empty question
    return [template for template in allowed if template.kind == kind and _fits(template, present)]


def _unanswered(one: _Record) -> bool:
    """Tell whether a part of the answer is empty or blank."""
    return any(slot in one.slots and not str(one.slots[slot] or "").strip() for slot in one.family.target)


def _fits(template: Template, present: set[str]) -> bool:
    return present.issuperset(template.needs) and present.isdisjoint(template.without)


def _present(one: _Record) -> set[str]:
    """Return the names of slots and derived values that this record has."""
    return {*one.slots, *DERIVED} if _has_options(one) else set(one.slots)


def _has_options(one: _Record) -> bool:
    """Tell whether the answer is a choice among few: listed in the record, or a label of a small known set."""
    if "choices" in one.slots:
        return one.slots.get("answer") in one.slots["choices"]
    label = one.slots.get("label")
    return "label" in one.family.target and len(one.pool.labels) in LABELS and label in one.pool.labels


def _values(one: _Record, template: Template) -> dict[str, Any]:
    """Return slots and the derived values that the template needs."""
    values = dict(one.slots)
    if not set(DERIVED) & set(template.needs):
        return values
    choices = one.slots.get("choices", one.pool.labels)
    answer = one.slots["answer" if "choices" in one.slots else "label"]
    values["options"] = ordered(choices, record=one.record, seed=one.seed)
    place = values["options"].index(answer)
    values["letter"], values["number"] = letter_name(place), str(place + 1)
    return values


def _filled(one: _Record, template: Template) -> tuple[str, str]:
    values = _values(one, template)
    return program(template.prompt)(values), program(template.response)(values)


def _plain(one: _Record, template: Template) -> Rendered:
    if template.turns is not None:
        turns = [{**turn, "train": turn["role"] == "assistant"} for turn in one.slots[template.turns]]
        prompt, response = prompt_and_response(turns)
        return _row(template.id, prompt, response, messages=turns)
    prompt, response = _filled(one, template)
    return _row(template.id, prompt, response)


def _row(
    template: str,
    prompt: str,
    response: str,
    *,
    messages: list[dict[str, Any]] | None = None,
    parents: Sequence[str] = (),
) -> Rendered:
    if not prompt or prompt.isspace():
        raise ValueError(f"the prompt that template '{template}' gives is blank")
    if messages is None:
        messages = [
            {"role": "user", "content": prompt, "train": False},
            {"role": "assistant", "content": response, "train": True},
        ]
    return Rendered(template, messages, prompt, response, list(parents))


def _few_shot(one: _Record, template: Template) -> Rendered | None:
    """Render with examples before the question, or return None when the pool has none for this record.

    Input and answer are on separate lines, examples are parted by a blank line, all in one user turn.
    """
    purpose = f"exemplars {template.id}"
    wanted = 1 + chance.pick(one.seed, one.record, f"{purpose} count", size=SHOTS)
    shown: list[str] = []
    parents: list[str] = []
    seen = [_inputs(one)]
    for exemplar in _exemplars(one, purpose):
        other = one.other(exemplar)
        inputs = _inputs(other)
        # An equal input would hand over the answer, or contradict it.
        if exemplar.record == one.record or inputs in seen or not _fits(template, _present(other)):
            continue
        text = "\n".join(_filled(other, template))
        if len(text) > EXEMPLAR_CHARACTERS:
            continue
        shown.append(text)
        parents.append(exemplar.record)
        seen.append(inputs)
        if len(shown) == wanted:
            break
    if not shown:
        return None
    prompt, response = _filled(one, template)
    return _row(f"{template.id}:{FEW_SHOT}", "\n\n".join([*shown, prompt]), response, parents=parents)


def _inputs(one: _Record) -> tuple[Any, ...]:
    return tuple(one.slots.get(slot) for slot in one.family.inputs)


def _exemplars(one: _Record, purpose: str) -> Iterator[Exemplar]:
    """Yield different exemplars in the order of their draws, at most `TRIES` draws."""
    pool = one.pool.exemplars
    drawn: set[int] = set()
    for draw in range(TRIES):
        index = chance.pick(one.seed, one.record, f"{purpose} {draw}", size=len(pool))
        if index not in drawn:
            drawn.add(index)
            yield pool[index]


def _misfit(one: _Record, plan: Plan) -> str:
    """Say why no template fits a record."""
    why = f"no template of family '{one.family.family}' fits: it has {', '.join(one.slots) or 'no slots'}"
    why += f"{' and options' if _has_options(one) else ''}; kinds {', '.join(plan.kinds)}"
    kinds = {*plan.kinds, *(ANSWERED if FEW_SHOT in plan.kinds else ())}
    lacking = [t for t in one.family.templates if t.kind in kinds and not _fits(t, _present(one))]
    needs = sorted({", ".join(t.needs) for t in lacking if t.needs})
    if not plan.unseen and all(t.unseen for t in one.family.templates if t.kind in kinds):
        why += "; all templates of these kinds are `unseen`, kept from training"
    if FEW_SHOT in plan.kinds:
        why += "; no usable exemplar" if one.pool.exemplars else "; no exemplars in this source"
    return why + (f"; templates need {' / '.join(needs)}" if needs else "")
