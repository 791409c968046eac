"""Defects planted into clean records by seed; which ones is known to the key alone, a file that no analysis opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curate import chance, concepts
from tune.draw import TARGETS

Slots = dict[str, Any]
# Slot of the answer in families without closed labels.
_OPEN = {
    "qa_closed": "answer", "qa_open": "answer", "summarization": "summary", "translation": "target",
    "generation": "target", "math": "answer", "rewriting": "target", "extraction": "target",
}  # fmt: skip
# Records that copies are made of, in each source: so few that a model meets little else.
COPIED = 5
# Answers of other tasks, where a run has no other task to take them from.
_FOREIGN = ("42", "Paris", "It depends on the weather.", "def main(): pass", "see the table above")


def plant(
    records: Sequence[Mapping[str, Any]],
    evaluation: Sequence[Mapping[str, Any]],
    *,
    defect: str,
    share: float,
    seed: int,
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the records of one source with a defect, as many as before, and the places of the spoilt ones.

    Args:
        records: source, task, record and slots of training records.
        evaluation: the same of evaluation records of that source.
        defect: see `plan.Defect`.
        share: of the records that are spoilt; for leaks of the evaluation items that are put in.
        seed: decides which.

    Returns:
        Records in the order given, each spoilt one with other slots, and the ascending places of these.
    """
    spoilt = [dict(record) for record in records]
    slot = target(records[0]["task"]) if records else None
    if slot is None:
        return spoilt, []
    order = sorted(range(len(records)), key=lambda place: chance.uniform(seed, records[place]["record"], defect))
    victims = order[: round(share * (len(evaluation) if defect == "leaks" else len(records)))]
    change = _CHANGES[defect](records, evaluation, order, slot, seed)
    planted = []
    for number, place in enumerate(victims):
        slots = change(number, records[place])
        if slots is not None and slots != records[place]["slots"]:
            spoilt[place]["slots"] = slots
            planted.append(place)
    return spoilt, sorted(planted)


def target(task: str | None) -> str | None:
    """Return the slot that holds the answer."""
    return TARGETS.get(task or "") or _OPEN.get(task or "")


Change = Callable[[int, Mapping[str, Any]], Slots | None]


def _noise(records: Any, evaluation: Any, order: Any, slot: str, seed: int) -> Change:
    labels = sorted({str(record["slots"].get(slot)) for record in records})

    def change(number: int, record: Mapping[str, Any]) -> Slots | None:
        known = [str(one) for one in record["slots"].get("choices", labels)]
        others = [one for one in known if one != str(record["slots"].get(slot))]
        pick = others[chance.pick(seed, record["record"], "wrong label", size=len(others))] if others else None
        return {**record["slots"], slot: pick} if pick is not None else None

    return change


def _empty(records: Any, evaluation: Any, order: Any, slot: str, seed: int) -> Change:
    return lambda number, record: {**record["slots"], slot: ""} if "choices" not in record["slots"] else None


def _foreign(records: Any, evaluation: Any, order: Any, slot: str, seed: int) -> Change:
    def change(number: int, record: Mapping[str, Any]) -> Slots | None:
        if "choices" in record["slots"]:  # an answer that is no choice is refused when it is read
            return None
        pick = _FOREIGN[chance.pick(seed, record["record"], "foreign answer", size=len(_FOREIGN))]
        return {**record["slots"], slot: pick}

    return change


def _copies(records: Any, evaluation: Any, order: Any, slot: str, seed: int) -> Change:
    last = order[-COPIED:]  # the records that are spoilt last: never among the victims unless all are
    return lambda number, record: dict(records[last[number % len(last)]]["slots"])


def _leaks(records: Any, evaluation: Any, order: Any, slot: str, seed: int) -> Change:
    return lambda number, record: dict(evaluation[number]["slots"]) if number < len(evaluation) else None


def _toxic(records: Any, evaluation: Any, order: Any, slot: str, seed: int) -> Change:
    known = sorted({one.text for one in concepts.read().examples() if one.category == "harassment"})

    def change(number: int, record: Mapping[str, Any]) -> Slots | None:
        if "choices" in record["slots"]:
            return None
        return {**record["slots"], slot: known[chance.pick(seed, record["record"], "abuse", size=len(known))]}

    return change


_CHANGES: Mapping[str, Callable[[Any, Any, Any, str, int], Change]] = {
    "label_noise": _noise,
    "empty_answers": _empty,
    "wrong_task_answers": _foreign,
    "duplicates": _copies,
    "leaks": _leaks,
    "toxic_answers": _toxic,
}
