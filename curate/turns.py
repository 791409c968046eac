"""Lists of turns, as ShareGPT and OpenAI write them, to turns of our own."""

from __future__ import annotations

from typing import Any

from curate.errors import suggest
from curate.records import kind
from curate.schema import canonical

# A turn {role, content, train}, and what its source had beside or instead of these.
Turn = tuple[dict[str, Any], dict[str, Any]]
Conversation = list[Turn]

# Who speaks, in the words of the data sets we know.
SHAREGPT = {
    "system": "system",
    "human": "user",
    "user": "user",
    "prompter": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool": "tool",
    "observation": "tool",
    "function": "tool",
    "function_response": "tool",
    "tool_response": "tool",
}
MESSAGES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
# What asks for a tool, today's name and the one before it.
_CALLS = ("tool_calls", "function_call")


def text_of(value: Any, what: str) -> str:
    """Return the value if it is a text.

    Raises:
        ValueError: naming what it is instead.
    """
    if not isinstance(value, str):
        raise ValueError(f"{what} is {kind(value)}, not a text")
    return value


def turn(role: str, content: str) -> Turn:
    """Return a turn with nothing beside it; what the assistant says is trained on."""
    return {"role": role, "content": content, "train": role == "assistant"}, {}


def from_messages(value: Any, what: str) -> Conversation:
    """Return the turns of a list of OpenAI messages.

    Raises:
        ValueError: naming the turn, counted from 1, and what is wrong with it.
    """
    return [_message(one, number) for number, one in enumerate(_list(value, what), start=1)]


def from_sharegpt(value: Any, what: str) -> Conversation:
    """Return the turns of a list of {from, value}.

    Raises:
        ValueError: naming the turn, counted from 1, and what is wrong with it.
    """
    return [_sharegpt(one, number) for number, one in enumerate(_list(value, what), start=1)]


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} is {kind(value)}, not a list of turns")
    return value


def _keys(value: Any, number: int, wanted: tuple[str, str]) -> dict[str, Any]:
    """Return the turn if it is an object with both keys; the second may be missing where a tool is called."""
    if not isinstance(value, dict):
        raise ValueError(f"turn {number} is {kind(value)}, not an object")
    for key in wanted:
        if key not in value and not (key == "content" and any(value.get(call) for call in _CALLS)):
            raise ValueError(f"turn {number} has no `{key}`; it has: {', '.join(list(value)[:8]) or 'nothing'}")
    return value


def _role(value: Any, known: dict[str, str], number: int) -> str:
    name = text_of(value, f"the speaker of turn {number}")
    role = known.get(name.strip().casefold())
    if role is None:
        raise ValueError(f"turn {number} is spoken by '{name[:40]}', which is no known role; {suggest(name, known)}")
    return role


def _trained(source: dict[str, Any], role: str, number: int) -> bool:
    """Tell whether a turn is trained on: as the data says by `train` or `weight`, else if it is the assistant's."""
    named = source.get("train")
    if named is not None:
        if not isinstance(named, bool):
            raise ValueError(f"`train` of turn {number} is {kind(named)}, not true or false")
        return named
    weight = source.get("weight")
    if weight is not None and weight not in (0, 1):
        raise ValueError(f"`weight` of turn {number} is neither 0 nor 1")
    return role == "assistant" and weight != 0


def _beside(source: dict[str, Any], main: tuple[str, str]) -> dict[str, Any]:
    """Return the keys beside the two main ones; tables write null where a turn has no such key."""
    return {key: item for key, item in source.items() if key not in (*main, "train") and item is not None}


def _sharegpt(value: Any, number: int) -> Turn:
    source = _keys(value, number, ("from", "value"))
    role = _role(source["from"], SHAREGPT, number)
    content = text_of(source["value"], f"`value` of turn {number}")
    extra = _beside(source, ("from", "value"))
    return {"role": role, "content": content, "train": _trained(source, role, number)}, extra


def _message(value: Any, number: int) -> Turn:
    """Return a message; what cannot be told from role and content alone stays beside it, as it was."""
    source = _keys(value, number, ("role", "content"))
    role = _role(source["role"], MESSAGES, number)
    content = _content(source, number)
    extra = _beside(source, ("role", "content"))
    if source["role"] != role:
        extra["role"] = source["role"]
    if "content" in source and source["content"] != content:
        extra["content"] = source["content"]
    return {"role": role, "content": content, "train": _trained(source, role, number)}, extra


def _content(source: dict[str, Any], number: int) -> str:
    """Return the text of a message, then its tool calls as canonical JSON, a line break between them."""
    calls = [source[name] for name in _CALLS if source.get(name)]
    value = source.get("content")
    if value is None and not calls:
        raise ValueError(f"`content` of turn {number} is null and no tool is called")
    text = "" if value is None else _joined(value, number)
    return "\n".join(filter(None, [text, *(canonical(call).decode() for call in calls)]))


def _joined(value: Any, number: int) -> str:
    """Return a text, or the texts of a list of parts as lines: parts are blocks, not pieces of a word."""
    if not isinstance(value, list):
        return text_of(value, f"`content` of turn {number}")
    texts = []
    for part in value:
        if not isinstance(part, dict) or part.get("type") != "text":
            form = part.get("type") if isinstance(part, dict) else kind(part)
            raise ValueError(f"turn {number} holds a part that is no text ({str(form)[:40]})")
        texts.append(text_of(part.get("text"), f"a text part of turn {number}"))
    return "\n".join(texts)
