"""Rows in which other records of the source speak: as examples in the prompt, or as earlier turns of a dialogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curate import chance, fill
from curate.fill import Exemplar, One, Rendered
from curate.rulebook import Template
from curate.templates import program

FEW_SHOT, MULTI_TURN = "few_shot", "multi_turn"
# 1 to 3 other records: that already shows the form of the answer, and each one is paid in tokens.
SHOTS = 3
# Longest other record in characters, about 375 tokens: three of them leave half of a 2048-token window to the question.
EXEMPLAR_CHARACTERS = 1500
# Words of a passage, as for texts that rows share with held-out ones.
PASSAGE = 8
# Draws per row before it does without: with a pool of long texts the search must end, and 64 draws find a fit with 96 %
# chance even where only one exemplar in 20 is usable (1 - 0.95 ** 64).
TRIES = 64


def few_shot(one: One, template: Template) -> Rendered | None:
    """Render with examples before the question, or return None when the pool has none for this record.

    Input and answer are on separate lines, examples are parted by a blank line, all in one user turn.
    """
    others = _others(one, template, f"exemplars {template.id}")
    if not others:
        return None
    shown = ["\n".join(fill.filled(other, template)) for other in others]
    prompt, response = fill.filled(one, template)
    parents = [other.record for other in others]
    return fill.row(f"{template.id}:{FEW_SHOT}", "\n\n".join([*shown, prompt]), response, parents=parents)


def multi_turn(one: One, template: Template) -> Rendered | None:
    """Render as the last exchange of a dialogue, or return None when the pool has no record for the earlier ones.

    All exchanges are worded by one template, from the second on by its `again`. Only the last answer is trained on: the
    pool is small, and its records would be taught hundreds of times.
    """
    others = _others(one, template, f"turns {template.id}")
    if not others:
        return None
    turns: list[dict[str, Any]] = []
    for speaker in (*others, one):
        asked = template.again if turns and template.again else template.prompt
        found = fill.values(speaker, template)
        turns.append({"role": "user", "content": program(asked)(found), "train": False})
        answer = program(template.response)(found)
        turns.append({"role": "assistant", "content": answer, "train": speaker is one})
    return fill.conversation(f"{template.id}:{MULTI_TURN}", turns, parents=[other.record for other in others])


def _others(one: One, template: Template, purpose: str) -> list[One]:
    """Return 1 to `SHOTS` other records that can be worded by a template, none with an input that is there already."""
    wanted = 1 + chance.pick(one.ground.seed, one.record, f"{purpose} count", size=SHOTS)
    found: list[One] = []
    seen = _inputs(one)
    for exemplar in _exemplars(one, purpose):
        other = one.other(exemplar)
        inputs = _inputs(other)
        # An equal input would hand over the answer, or contradict it; an equal passage would stand there twice.
        if exemplar.record == one.record or not inputs.isdisjoint(seen) or fill.unanswered(other):
            continue
        if not fill.fits(template, fill.present(other)):
            continue
        if sum(map(len, fill.filled(other, template))) >= EXEMPLAR_CHARACTERS:
            continue
        found.append(other)
        seen |= inputs
        if len(found) == wanted:
            break
    return found


def _inputs(one: One) -> set[str]:
    """Return what the record asks about: all inputs as one, and each that is a passage."""
    found = [one.slots[slot] for slot in one.ground.family.inputs if slot in one.slots]
    return {repr(found), *(value for value in found if isinstance(value, str) and len(value.split()) >= PASSAGE)}


def _exemplars(one: One, purpose: str) -> Iterator[Exemplar]:
    """Yield different exemplars in the order of their draws, at most `TRIES` draws."""
    pool = one.ground.pool.exemplars
    drawn: set[int] = set()
    for draw in range(TRIES):
        index = chance.pick(one.ground.seed, one.record, f"{purpose} {draw}", size=len(pool))
        if index not in drawn:
            drawn.add(index)
            yield pool[index]
