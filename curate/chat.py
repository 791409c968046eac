"""Conversations written as one text, by a chat template or plainly, and where in it the trained turns stand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

Turns = Sequence[Mapping[str, Any]]
# Code points that Unicode reserves for a program's own use ("noncharacters") mark where a trained turn stands.
_MARKS = [chr(code) for code in range(0xFDD0, 0xFDF0)]
# Templates that print today's date get this day, so that equal rows give equal tokens on every day; it is the one that
# Llama 3's templates themselves fall back to.
_TODAY = date(2024, 7, 26)
_GENERATION = re.compile(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})")


@dataclass(frozen=True)
class Rendered:
    """A conversation as one text.

    Args:
        text: what is tokenised.
        trained: half-open spans of characters that are trained on, in order: the text of each turn with `train` true,
            and the end-of-turn marker that the template sets right after it, if any.
    """

    text: str
    trained: list[tuple[int, int]]


@dataclass(frozen=True)
class ChatTemplate:
    """How a model wants conversations written.

    Args:
        program: the compiled template.
        variables: what it sees beside the messages.
        marker: what it writes right after the text of an answer, blanks at its end cut; empty without one.
    """

    program: Template
    variables: Mapping[str, Any]
    marker: str = ""

    def render(self, turns: Turns) -> Rendered:
        """Write a conversation as a text.

        Where the trained turns stand is found by rendering twice, once with their ends marked: so it holds for
        templates that trim a turn, put something before it or treat the last one otherwise.

        Raises:
            ValueError: when the template fails, or leaves out, repeats or rewrites a trained turn.
        """
        contents = [str(turn["content"]) for turn in turns]
        text = self._filled(turns, contents)
        count = sum(bool(turn["train"]) for turn in turns)
        if not count:
            return Rendered(text, [])
        opening, closing = _free_marks(contents)
        for trimmed in (False, True):
            put = [
                _marked(content, opening, closing, trimmed=trimmed) if turn["train"] else content
                for turn, content in zip(turns, contents, strict=True)
            ]
            marked = self._filled(turns, put)
            if marked.replace(opening, "").replace(closing, "") == text:
                return Rendered(text, _located(marked, (opening, closing), self.marker, count))
        raise ValueError("the chat template rewrites a trained turn")

    def prompt(self, turns: Turns) -> str:
        """Write the turns before an answer, and the beginning of the answer, as a model is asked for one.

        Raises:
            ValueError: when the template fails.
        """
        return self._filled(turns, [str(turn["content"]) for turn in turns], add_generation_prompt=True)

    def _filled(self, turns: Turns, contents: Sequence[str], **variables: Any) -> str:
        """Return the template filled with the turns, their contents replaced."""
        messages = [{"role": turn["role"], "content": content} for turn, content in zip(turns, contents, strict=True)]
        try:
            context = self.program.new_context({**self.variables, **variables, "messages": messages}, shared=True)
            return "".join(self.program.root_render_func(context))
        except Exception as error:  # a template is a program of somebody else's: it may raise anything
            raise ValueError(f"the chat template fails: {str(error)[:160] or type(error).__name__}") from error


def plain(turns: Turns) -> Rendered:
    """Write a conversation without a template: question, line break, answer; any other as `role: text` lines."""
    simple = [turn["role"] for turn in turns] == ["user", "assistant"]
    parts, spans, place = [], [], 0
    for number, turn in enumerate(turns):
        before = ("\n" if number else "") + ("" if simple else f"{turn['role']}: ")
        start = place + len(before)
        parts += [before, str(turn["content"])]
        place = start + len(parts[-1])
        spans += [(start, place)] if turn["train"] else []
    return Rendered("".join(parts), spans)


def plain_prompt(turns: Turns) -> str:
    """Write the turns before an answer as `plain` does, up to where the answer begins."""
    return plain([*turns, {"role": "assistant", "content": "", "train": False}]).text


def compiled(source: str, variables: Mapping[str, Any]) -> ChatTemplate:
    """Return a chat template as a program that can reach nothing but its variables.

    The settings are those under which chat templates are written (transformers): block lines leave no empty lines, and
    loops may be broken off. A `generation` block, which marks what is trained, prints what it holds.

    Args:
        source: the template.
        variables: the special tokens by name.

    Raises:
        TemplateSyntaxError: when it is none.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"], autoescape=False
    )
    environment.filters["tojson"] = _to_json
    del environment.filters["random"], environment.globals["lipsum"]  # equal rows give equal texts
    source = _GENERATION.sub(lambda tag: f"{tag[1]}{'endif' if tag[2] else 'if true'}{tag[3]}", source)
    functions = {"raise_exception": _refuse, "strftime_now": _TODAY.strftime}
    seen = {**environment.globals, **functions, **variables, "add_generation_prompt": False}
    found = ChatTemplate(environment.from_string(source), seen)
    return replace(found, marker=_marker(found))


def _marker(template: ChatTemplate) -> str:
    """Return what a template writes after the text of an answer, without the blanks at its end."""
    turns = [{"role": "user"}, {"role": "assistant"}]
    try:
        text = template._filled(turns, ["a", f"b{_MARKS[0]}"])
    except ValueError:  # it needs more than a question and an answer: each row will tell
        return ""
    return text.partition(_MARKS[0])[2].rstrip()


def _refuse(message: str) -> None:
    """Give a template the means to refuse a conversation."""
    raise ValueError(message)


def _to_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    """Return JSON as chat templates expect it: nothing escaped for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _free_marks(contents: Sequence[str]) -> tuple[str, str]:
    """Return two marks that stand in none of the texts."""
    free = (mark for mark in _MARKS if not any(mark in content for content in contents))
    opening, closing = next(free, None), next(free, None)
    if opening is None or closing is None:
        raise ValueError("the text holds all the characters that mark a turn")
    return opening, closing


def _marked(content: str, opening: str, closing: str, *, trimmed: bool) -> str:
    """Return a text between marks; trimmed, the blanks around it stay outside."""
    if not trimmed:
        return f"{opening}{content}{closing}"
    core = content.strip()
    before, after = content.split(core, 1) if core else (content, "")
    return f"{before}{opening}{core}{closing}{after}"


def _located(marked: str, marks: tuple[str, str], marker: str, count: int) -> list[tuple[int, int]]:
    """Return the spans between marks, counted without the marks, each with the marker that follows it."""
    before, *rest = marked.split(marks[0])
    place, spans = len(before), []
    for part in rest:
        inner, _, after = part.partition(marks[1])
        end = place + len(inner)
        spans.append((place, end + (len(marker) if after.startswith(marker) else 0)))
        place = end + len(after)
    if len(spans) != count or marked.count(marks[1]) != count:
        raise ValueError("the chat template leaves out or repeats a trained turn")
    return spans
