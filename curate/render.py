"""Records to instruction rows: templates are chosen by hash, evenly among the kinds that a recipe asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from curate import chance, fill
from curate.fill import Exemplar, Ground, One, Pool, Rendered
from curate.rulebook import DERIVED, Family, Template
from curate.shots import FEW_SHOT, MULTI_TURN, few_shot, multi_turn
from curate.slots import content_of, meta_of, slots_of

__all__ = [
    "Exemplar", "Plan", "Pool", "Rendered", "content_of", "every", "meta_of", "preview", "renderer", "slots_of",
]  # fmt: skip

# Kinds of templates that ask for the answer, with or without the way to it.
ANSWERED = ("zero_shot", "chain_of_thought")
# Kinds of rows in which other records speak, in the words of a template that asks for the answer.
SHARED = {FEW_SHOT: few_shot, MULTI_TURN: multi_turn}
Renderer = Callable[[str, Mapping[str, Any]], list[Rendered]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many renderings of which kinds.

    One rendering of the record alone by default, because every record then speaks exactly once, with the way to its
    answer in half of the rows whose data has one. Templates that are kept from training are drawn only where asked. The
    seed of all choices has no default: it is the recipe's.
    """

    per_record: int = 1
    kinds: tuple[str, ...] = ANSWERED
    unseen: bool = False
    seed: int


def template_kinds(kinds: Sequence[str]) -> set[str]:
    """Return the kinds of templates that rows of these kinds are worded by."""
    return {*kinds, *(ANSWERED if not SHARED.keys().isdisjoint(kinds) else ())} - SHARED.keys()


def renderer(*, family: Family, pool: Pool, plan: Plan) -> Renderer:
    """Return the function that renders the records of a source.

    It takes the hash of a record and what `slots_of` returned, and gives `plan.per_record` renderings by different
    templates, or as many as fit. For each first the kind is drawn, evenly among the allowed kinds that still have a
    fitting template, then the template. All draws are hashes of seed and record. It raises ValueError when no template
    fits or a prompt is blank, UserError when a template is wrong.

    Args:
        family: the task family.
        pool: labels and exemplars of the source.
        plan: how many, which kinds, which seed.
    """
    ground = Ground(family, pool, plan.seed)

    # Most records of a source have the same slots: what fits is worked out once for each set of them.
    @cache
    def fitting(slots: tuple[str, ...], options: bool, blank: bool) -> dict[str, tuple[Template, ...]]:
        present = {*slots, *(DERIVED if options else ())}
        fit = [t for t in family.templates if (plan.unseen or not t.unseen) and fill.fits(t, present)]
        found = {kind: _of_kind(kind, fit, blank) for kind in plan.kinds if kind not in SHARED or pool.exemplars}
        return {kind: templates for kind, templates in found.items() if templates}

    def rendered(record: str, slots: Mapping[str, Any]) -> list[Rendered]:
        one = One(record, slots, ground)
        left = fitting(tuple(slots), fill.has_options(one), fill.unanswered(one)).copy()
        renderings: list[Rendered] = []
        draws = 0
        while left:
            kind = _drawn(tuple(left), one, "kind", draws) if len(left) > 1 else next(iter(left))
            template = _drawn(left[kind], one, "template", draws)
            found = SHARED[kind](one, template) if kind in SHARED else fill.plain(one, template)
            if found is not None:
                renderings.append(found)
                if len(renderings) == plan.per_record:
                    break
            left[kind] = tuple(other for other in left[kind] if other is not template)
            if not left[kind]:
                del left[kind]
            draws += 1
        if not renderings:
            raise ValueError(_misfit(one, plan))
        return renderings

    return rendered


def _of_kind(kind: str, fit: Sequence[Template], blank: bool) -> tuple[Template, ...]:
    """Return those of the fitting templates by which rows of a kind may be worded."""
    if kind == "inverted" and blank:
        return ()  # an empty answer would become an empty question
    if blank:  # dressed up, it would pass
        fit = [t for t in fit if not t.wraps] or fit
    if kind in SHARED:
        return tuple(t for t in fit if t.kind in ANSWERED and t.turns is None)
    return tuple(t for t in fit if t.kind == kind)


def preview(family: Family, *, example: int = 0) -> list[Rendered]:
    """Render an example of a family with each of its templates, in the order of the file.

    What a template must do without is taken out of the example for it.
    """
    slots = slots_of(family.example[example], family=family, fields={}, labels={})
    return every("preview", slots, family=family, pool=Pool(labels=tuple(sorted(family.example_labels))))


def every(record: str, slots: Mapping[str, Any], *, family: Family, pool: Pool) -> list[Rendered]:
    """Render a record with each template of its family that fits once what it must do without is taken out.

    Where the pool has records, a row with examples and a dialogue follow, as samples of these kinds: by the first
    template that gives one, of dialogues by the first with an `again` of its own.
    """
    ground = Ground(family, pool, seed=0)
    shown: list[Rendered] = []
    samples: dict[str, Rendered] = {}
    for template in sorted(family.templates, key=lambda one: not one.again):
        one = One(record, _without(slots, template), ground)
        if not fill.fits(template, fill.present(one)):
            continue
        shown.append(fill.plain(one, template))
        if template.kind in ANSWERED and template.turns is None and pool.exemplars:
            found = {kind: way(one, template) for kind, way in SHARED.items() if kind not in samples}
            samples |= {kind: sample for kind, sample in found.items() if sample is not None}
    order = {template.id: place for place, template in enumerate(family.templates)}
    return [*sorted(shown, key=lambda one: order[one.template]), *samples.values()]


def _without(slots: Mapping[str, Any], template: Template) -> dict[str, Any]:
    return {slot: value for slot, value in slots.items() if slot not in template.without}


def _drawn(items: Sequence[Any], one: One, purpose: str, draw: int) -> Any:
    """Return one of some items; a single one takes no draw."""
    return (
        items[0]
        if len(items) == 1
        else items[chance.pick(one.ground.seed, one.record, f"{purpose} {draw}", size=len(items))]
    )


def _misfit(one: One, plan: Plan) -> str:
    """Say why no template fits a record."""
    present, kinds = fill.present(one), template_kinds(plan.kinds)
    why = f"no template of family '{one.ground.family.family}' fits: it has {', '.join(one.slots) or 'no slots'}"
    why += f"{' and options' if fill.has_options(one) else ''}; kinds {', '.join(plan.kinds)}"
    lacking = [t for t in one.ground.family.templates if t.kind in kinds and not fill.fits(t, present)]
    needs = sorted({", ".join(t.needs) for t in lacking if t.needs})
    if not plan.unseen and all(t.unseen for t in one.ground.family.templates if t.kind in kinds):
        why += "; all templates of these kinds are `unseen`, kept from training"
    if not SHARED.keys().isdisjoint(plan.kinds):
        why += "; no usable exemplar" if one.ground.pool.exemplars else "; no exemplars in this source"
    return why + (f"; templates need {' / '.join(needs)}" if needs else "")
