"""Instruction data to conversations: Alpaca, ShareGPT, OpenAI messages, prompt and completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from curate.detection import Detection, detect
from curate.records import kind, lookup
from curate.turns import Conversation, from_messages, from_sharegpt, text_of, turn

__all__ = ["FIELDS", "FORMATS", "Detection", "conversation", "detect", "own_meta"]

FORMATS = ("alpaca", "sharegpt", "messages", "prompt_completion")
# What `fields` may rename, per format, with the column that is meant when it is not named.
FIELDS: dict[str, dict[str, str]] = {
    "alpaca": {"instruction": "instruction", "input": "input", "output": "output", "system": "system"}
    | {"history": "history"},
    "sharegpt": {"messages": "conversations", "system": "system"},
    "messages": {"messages": "messages"},
    "prompt_completion": {"prompt": "prompt", "completion": "completion", "system": "system"},
}
OPTIONAL = ("input", "system", "history")


def conversation(data: Any, *, format: str, fields: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the turns of a record and whatever else it had.

    Args:
        data: the record, a dict or a list.
        format: a name of `FORMATS`.
        fields: columns or dotted paths where they differ from `FIELDS`.

    Returns:
        Turns {role, content, train}, and the meta data. There, `turns` maps the number of
        a turn (as a string) to the keys that an OpenAI message has beside or instead of role and content: merged over
        role and content, they give the message as it was. A column of the record that is called `turns` itself moves
        to `turns_`; `own_meta` undoes that.

    Raises:
        ValueError: with the cause, when the record is no conversation or has no assistant turn.
    """
    paths = {**FIELDS[format], **fields}
    found = {name: _field(data, path, optional=name in OPTIONAL) for name, path in paths.items()}
    turns = _READERS[format](found)
    if not turns:
        raise ValueError("the conversation is empty")
    if all(one["role"] != "assistant" for one, _ in turns):
        raise ValueError("no assistant turn")
    meta = _rest(data, set(paths.values()))
    extras = {str(number): extra for number, (_, extra) in enumerate(turns) if extra}
    if extras:
        meta["turns"] = extras
    return [one for one, _ in turns], meta


def own_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that the record itself had beside its conversation, under the names it gave them."""
    own = {key: value for key, value in meta.items() if key != "turns"}
    return {key[:-1] if _is_turns(key) else key: value for key, value in own.items()}


def _is_turns(key: str) -> bool:
    return key.rstrip("_") == "turns"


def _field(data: Any, path: str, *, optional: bool) -> Any:
    try:
        return lookup(data, path)
    except KeyError as error:
        if optional:
            return None
        known = ", ".join(error.args[1][:8]) if len(error.args) > 1 and error.args[1] else "nothing"
        inside = f" ('{error.args[0]}' is missing)" if error.args[0] != path else ""
        raise ValueError(f"no field '{path}'{inside}; there is: {known}") from None


def _rest(data: Any, used: set[str]) -> dict[str, Any]:
    """Return the columns that no path names as a whole; a column used in part stays, it has more to tell."""
    columns = data if isinstance(data, dict) else {str(index): item for index, item in enumerate(data)}
    return {key + "_" if _is_turns(key) else key: item for key, item in columns.items() if key not in used}


def _alpaca(found: Mapping[str, Any]) -> Conversation:
    """Return system, history and the exchange; the input follows the instruction after a blank line."""
    turns = _system(found)
    history = [] if found["history"] is None else found["history"]
    if not isinstance(history, list):
        raise ValueError(f"`history` is {kind(history)}, not a list of pairs")
    for number, pair in enumerate(history, start=1):
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"`history` entry {number} is not a pair of a question and an answer")
        turns.append(turn("user", text_of(pair[0], f"the question in `history` entry {number}")))
        turns.append(turn("assistant", text_of(pair[1], f"the answer in `history` entry {number}")))
    instruction = text_of(found["instruction"], "`instruction`")
    given = "" if found["input"] is None else text_of(found["input"], "`input`")
    asked = f"{instruction}\n\n{given}" if instruction and given else instruction or given
    return [*turns, turn("user", asked), turn("assistant", text_of(found["output"], "`output`"))]


def _system(found: Mapping[str, Any]) -> Conversation:
    """Return the system turn of a column beside the conversation; empty means none."""
    value = found["system"]
    return [turn("system", text_of(value, "`system`"))] if value is not None and value != "" else []


def _sharegpt(found: Mapping[str, Any]) -> Conversation:
    turns = from_sharegpt(found["messages"], "the conversation")
    system = _system(found)
    if system and turns and turns[0][0]["role"] == "system":
        if turns[0][0]["content"] != system[0][0]["content"]:
            raise ValueError("two different system prompts, in `system` and in the conversation")
        return turns
    return system + turns


def _messages(found: Mapping[str, Any]) -> Conversation:
    return from_messages(found["messages"], "the conversation")


def _prompt_completion(found: Mapping[str, Any]) -> Conversation:
    """Return prompt and completion, each a text or a list of messages; only the completion is trained on."""
    prompt, completion = found["prompt"], found["completion"]
    if isinstance(prompt, list):
        asked = [({**one, "train": False}, extra) for one, extra in from_messages(prompt, "`prompt`")]
    else:
        asked = [turn("user", text_of(prompt, "`prompt`"))]
    if isinstance(completion, list):
        answered = from_messages(completion, "`completion`")
    else:
        answered = [turn("assistant", text_of(completion, "`completion`"))]
    if all(one["role"] != "assistant" for one, _ in answered):
        raise ValueError("no assistant turn in `completion`")
    return [*_system(found), *asked, *answered]


_READERS: dict[str, Callable[[Mapping[str, Any]], Conversation]] = {
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "messages": _messages,
    "prompt_completion": _prompt_completion,
}
