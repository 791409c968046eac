"""A record's slots: picked from its columns, type-checked, verbalised, the same for every template of its family."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curate.errors import UserError, suggest
from curate.read import lookup
from curate.rulebook import Family, SlotType

# What chat data calls its speakers.
_ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "customer", "instruction"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "chatgpt", "model", "agent", "response"), "assistant"),
    **dict.fromkeys(("system",), "system"),
    **dict.fromkeys(("tool", "function", "observation"), "tool"),
}
_TYPE_NAMES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    (Mapping, "a table"),
    ((list, tuple), "a list"),
)
_EXPECTED = {
    "text": "text",
    "value": "text, a number or true/false",
    "list": "a list",
    "messages": "a list of turns",
}
_CALCULATION = re.compile(r"<<[^<>\n]*>>")
_FINAL = "####"
_BROKEN = object()  # a value of a type that the slot does not take


def slots_of(data: Any, *, family: Family, fields: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the slots of a record in the family's order; absent optional slots are left out.

    Where a family has a rationale, an answer that ends in a line `#### x` (the GSM8K convention) becomes the answer x
    and the lines before it the rationale, without their `<<…>>` calculator notes; not where the record has a rationale
    of its own. Where it has choices, an answer that is not the text of one may be its letter or its index from 0, and
    becomes the text.

    Args:
        data: a parsed record.
        family: the task family.
        fields: column or dotted path by slot; a slot that is not named is taken from the column of its own name.
        labels: wording by raw value of the answer, compared as strings.

    Raises:
        ValueError: the cause why the record cannot be used, naming slot, column, expected and found type.
        UserError: when `fields` names what is not a slot.
    """
    for slot in fields:
        if slot not in family.types:
            raise UserError(f"task '{family.family}'", f"no slot '{slot}'", suggest(slot, family.types))
    slots = dict(_picked(data, family, fields))
    _require(slots, data, family, fields)
    if labels:
        for slot in family.target:
            if slot in slots and "messages" not in family.types[slot]:
                slots[slot] = _verbalised(slots[slot], labels, _place(slot, fields))
    if "answer" in slots and "rationale" in family.types:
        slots |= _worked_out(slots)
    if "answer" in slots and "choices" in slots:
        slots["answer"] = _chosen(slots["answer"], slots["choices"])
    return {slot: slots[slot] for slot in family.types if slot in slots}


def content_of(slots: Mapping[str, Any], *, family: Family) -> str:
    """Return the slot values joined by line breaks in the family's order; of conversations user and assistant turns.

    This is what duplicate and leak checks compare, so no template word is in it.
    """
    return "\n".join(_as_text(slots[slot]) for slot in family.types if slot in slots)


def meta_of(data: Any, *, family: Family, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what the slots did not use of a record, untouched; of a nested column the rest."""
    if isinstance(data, list | tuple):
        data = {str(index): value for index, value in enumerate(data)}
    rest = dict(data)
    for slot, _ in _picked(data, family, fields):
        _remove(rest, fields.get(slot, slot))
    return rest


def _picked(data: Any, family: Family, fields: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield each slot that has a value, converted to its type.

    An optional slot that the recipe does not name and whose column merely has the same name and another type is absent.
    """
    either = {slot for group in family.either for slot in group}
    for slot, types in family.types.items():
        raw = _raw(data, fields.get(slot, slot))
        optional = slot in family.optional
        if _is_null(raw) or (optional and raw in ("", [])):
            continue
        value = _converted(raw, types, _place(slot, fields))
        if value is not _BROKEN:
            yield slot, value
        elif not optional or slot in fields or slot in either:
            expected = " or ".join(_EXPECTED[kind] for kind in types)
            raise ValueError(f"{_place(slot, fields)}: expected {expected}, found {_type_name(raw)}")


def _raw(data: Any, path: str) -> Any:
    """Return the value at a path, None where there is none; a column whose whole name is the path goes first."""
    if isinstance(data, Mapping) and path in data:
        return data[path]
    try:
        return lookup(data, path)
    except KeyError:
        return None


def _is_null(raw: Any) -> bool:
    """Tell null from a value; tables written by numeric tools say NaN for null."""
    return raw is None or (isinstance(raw, float) and math.isnan(raw))


def _require(slots: Mapping[str, Any], data: Any, family: Family, fields: Mapping[str, str]) -> None:
    """Raise ValueError for a required slot without a value."""
    for slot in family.slots:
        if slot not in slots:
            expected = " or ".join(_EXPECTED[kind] for kind in family.types[slot])
            raise ValueError(f"{_place(slot, fields)}: expected {expected}, {_gap(data, fields.get(slot, slot))}")
    if family.either and not any(all(slot in slots for slot in group) for group in family.either):
        groups = ", or ".join(" and ".join(f"'{slot}'" for slot in group) for group in family.either)
        raise ValueError(f"{family.family} needs the slots {groups}; found {', '.join(slots) or 'none'}")


def _gap(data: Any, path: str) -> str:
    """Say why there is no value at a path."""
    try:
        lookup(data, path)
    except KeyError as error:
        part, known = error.args
        return f"found no '{part}'; {suggest(part, known)}" if known else f"found {_type_name(data)} without columns"
    return "found null"


def _converted(raw: Any, types: Sequence[SlotType], place: str) -> Any:
    """Return the value as the first type it fits, else `_BROKEN`."""
    for kind in types:
        if kind in ("text", "value") and isinstance(raw, str):
            return raw
        if kind == "value" and isinstance(raw, bool | int | float):
            return _number(raw)
        if kind == "list" and isinstance(raw, list | tuple):
            return [_item(item, index, place) for index, item in enumerate(raw, 1)]
        if kind == "messages" and isinstance(raw, list | tuple):
            return _conversation(raw, place)
    return _BROKEN


def _number(raw: bool | int | float) -> str:
    """Return one plain wording per value: 1 and 1.0 are "1", true is "true"."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else str(raw)


def _item(item: Any, index: int, place: str) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, bool | int | float) and not _is_null(item):
        return _number(item)
    raise ValueError(f"{place}, item {index}: expected {_EXPECTED['value']}, found {_type_name(item)}")


def _conversation(turns: Sequence[Any], place: str) -> list[dict[str, str]]:
    """Return role and content of each turn; bare strings alternate, the user begins."""
    found = []
    for index, turn in enumerate(turns):
        where = f"{place}, turn {index + 1}"
        if isinstance(turn, str):
            found.append({"role": ("user", "assistant")[index % 2], "content": turn})
            continue
        if not isinstance(turn, Mapping):
            raise ValueError(f"{where}: expected text or a table, found {_type_name(turn)}")
        role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        if str(role).lower() not in _ROLES:
            raise ValueError(f"{where}: unknown role {role!r}; {suggest(str(role), _ROLES)}")
        if not isinstance(content, str):
            raise ValueError(f"{where}: expected text as content, found {_type_name(content)}")
        found.append({"role": _ROLES[str(role).lower()], "content": content})
    return found


def _verbalised(value: Any, labels: Mapping[str, str], place: str) -> Any:
    """Return the wording of a label; one that is a wording already stays."""
    if isinstance(value, list):
        return [_verbalised(item, labels, place) for item in value]
    if value in labels:
        return labels[value]
    if value in labels.values():
        return value
    raise ValueError(f"{place}: label {value!r} is neither a key nor a value of `labels`")


def _worked_out(slots: Mapping[str, Any]) -> dict[str, str]:
    """Split an answer that ends in a line `#### x` into rationale and answer, unless a rationale is given."""
    before, mark, answer = slots["answer"].rpartition(_FINAL)
    at_line_start = not before or before.endswith("\n")
    if not mark or not at_line_start or not answer.strip() or "\n" in answer.strip() or "rationale" in slots:
        return {}
    rationale = _CALCULATION.sub("", before).strip()
    return {"answer": answer.strip(), **({"rationale": rationale} if rationale else {})}


def _chosen(answer: str, choices: Sequence[str]) -> str:
    """Return the text of the right choice from its text, its letter or its index from 0."""
    if answer in choices:
        return answer
    name = answer.strip()
    index = -1
    if name.isascii() and name.isdecimal():
        index = int(name)
    elif name.isascii() and name.isalpha() and len(name) == 1:
        index = ord(name.upper()) - ord("A")
    if not 0 <= index < len(choices):
        raise ValueError(f"answer {answer!r} is not among the choices ({len(choices)} choices)")
    return choices[index]


def _remove(rest: dict[str, Any], path: str) -> None:
    """Take what a path leads to out of a record, by the rules of `lookup`; emptied tables go, lists stay whole."""
    parts = path.split(".")
    for used in range(len(parts), 0, -1):
        key, tail = ".".join(parts[:used]), ".".join(parts[used:])
        if key not in rest:
            continue
        if not tail:
            del rest[key]
        elif isinstance(rest[key], Mapping):
            inner = dict(rest[key])
            _remove(inner, tail)
            rest |= {key: inner}
            if not inner:
                del rest[key]
        return


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    texts = (
        item if isinstance(item, str) else item["content"]
        for item in value
        if isinstance(item, str) or item["role"] in ("user", "assistant")
    )
    return "\n".join(texts)


def _place(slot: str, fields: Mapping[str, str]) -> str:
    return f"slot '{slot}' (column '{fields.get(slot, slot)}')"


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    return next((name for kind, name in _TYPE_NAMES if isinstance(value, kind)), type(value).__name__)
