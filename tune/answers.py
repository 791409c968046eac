"""What each row asks for: one of a few options, or an answer to be written; and by which measures it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from curate import options, rulebook
from curate.errors import UserError
from curate.templates import letter_name, program
from tune.metrics import WRITTEN

# Most options that are ranked: the largest intent set in use has 151 labels, and each costs its tokens.
MOST = 200
# Of a closed answer whose options are not known.
LABEL = ("exact_match", "token_f1")
# Of instruction data and of inverted templates, whose answer is no answer of the family: the words and their order.
OTHERWISE = ("token_f1", "rougeL", "chrf")
_FEW_SHOT = ":few_shot"


@dataclass(frozen=True)
class Choice:
    """A question with a closed answer.

    Args:
        answers: the whole answers that are ranked, as the row's template words them.
        labels: what each of them stands for: a label of the source, or the text of a choice.
        right: the place of the row's own answer.
    """

    answers: tuple[str, ...]
    labels: tuple[str, ...]
    right: int


@dataclass(frozen=True)
class Asked:
    """A row to be answered.

    Args:
        row: the row's columns.
        choice: the options; None where an answer is to be written.
        wanted: answers of which the best counts: the row's response, and the bare answer where it is worded.
        metrics: of `WRITTEN`, those by which a written answer is judged; empty with a choice.
        unseen: whether its wording was kept from training; None where no template says so.
    """

    row: Mapping[str, Any]
    choice: Choice | None
    wanted: tuple[str, ...]
    metrics: tuple[str, ...]
    unseen: bool | None

    @property
    def turns(self) -> list[Mapping[str, Any]]:
        """Return the conversation up to the answer that is asked for: the assistant's last turn."""
        turns = self.row["messages"]
        return list(turns[: 1 + max(place for place, turn in enumerate(turns) if turn["role"] == "assistant")])

    @property
    def primary(self) -> str:
        """Return the measure by which items are ordered."""
        return "accuracy" if self.choice is not None else self.metrics[0]


def asked(rows: pl.DataFrame, *, families: Mapping[str, rulebook.Family], recipe: Mapping[str, Any]) -> list[Asked]:
    """Return what each row asks for.

    Args:
        rows: instruction rows; all rows of their sources, as the label sets are read from them.
        families: the task families by name, with all templates that may occur.
        recipe: the recipe as the manifest has it, for the labels of its sources and its seed; may be empty.
    """
    labels = _labels(rows, recipe)
    templates = {one.id: one for family in families.values() for one in family.templates}
    found = []
    for row in rows.iter_rows(named=True):
        family = families.get(row["task"] or "")
        template = templates.get((row["template"] or "").removesuffix(_FEW_SHOT))
        unseen = None if template is None else template.unseen
        slots = orjson.loads(row["slots"] or "{}")
        if family is None or template is None or template.kind == "inverted":
            found.append(Asked(row, None, (row["response"],), OTHERWISE, unseen))
            continue
        known = labels.get(row["source"], ())
        choice = _choice(row, template, family=family, slots=slots, labels=known, seed=int(recipe.get("seed", 0)))
        bare = slots.get(family.target[0])
        wanted = tuple(dict.fromkeys([row["response"], *([bare] if isinstance(bare, str) else [])]))
        metrics = tuple(name for name in family.metrics if name in WRITTEN) or LABEL
        found.append(Asked(row, choice, wanted, () if choice else metrics, unseen))
    return found


def _labels(rows: pl.DataFrame, recipe: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the sorted label set of each source: as the recipe words it, else all that occur."""
    said = {one["name"]: one.get("labels") or {} for one in recipe.get("sources", ())}
    seen = rows.select("source", label=pl.col("slots").str.json_path_match("$.label")).drop_nulls().unique()
    found: dict[str, set[str]] = {}
    for source, label in seen.iter_rows():
        found.setdefault(source, set()).add(label)
    return {source: tuple(sorted(set(said.get(source, {}).values()) or values)) for source, values in found.items()}


def _choice(
    row: Mapping[str, Any],
    template: rulebook.Template,
    *,
    family: rulebook.Family,
    slots: Mapping[str, Any],
    labels: tuple[str, ...],
    seed: int,
) -> Choice | None:
    """Return the options of a row, None where its answer is not one of a few."""
    slot = "answer" if "choices" in slots else "label"
    choices = tuple(slots.get("choices", labels))
    if slot not in family.target or not 2 <= len(choices) <= MOST or slots.get(slot) not in choices:
        return None
    listed = options.ordered(choices, record=row["record"], seed=seed)
    worded: dict[str, str] = {}
    for place, option in enumerate(listed):
        values = {**slots, slot: option, "options": listed}
        values |= {"letter": letter_name(place), "number": str(place + 1)}
        try:
            worded.setdefault(program(template.response)(values), option)
        except UserError:  # a template of before, which asks for values that are no longer made
            return None
    answers = tuple(worded)
    # Another answer than the template's: the row was cut or changed since, and what its options are is not known.
    if row["response"] not in answers or len(answers) < 2:
        return None
    return Choice(answers, tuple(worded.values()), answers.index(row["response"]))
