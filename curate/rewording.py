"""One template text of the promptsource form, taken apart and written down anew in the subset that is used here.

A text is parsed and never run. What has the same meaning here is kept: words, plain fields, a field or a part of it,
the choices and the right one of them, joins, and a few filters that change letters only. All else is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from jinja2 import TemplateSyntaxError, nodes

from curate import templates
from curate.rulebook import Family, Template

# Characters of a text: those of the public collection that were looked at have less than 500.
TEXT_CAP = 20_000
BORDER = "|||"
CHOICES = "answer_choices"
# Jinja's own filters that say the same there and here.
SAME = ("trim", "lower", "upper", "capitalize", "title")
_BLOCKS: dict[type[nodes.Node], str] = {
    nodes.If: "an if-block",
    nodes.For: "a loop",
    nodes.Assign: "a variable of its own",
    nodes.AssignBlock: "a variable of its own",
}
_CODE = re.compile(r"\{[{%#]")


class Writer:
    """A template written down anew.

    Attributes:
        choices: the texts by which the answer, a number from 0, is worded; empty if there are none.
        worded: whether the answer is worded by them.
        columns: by slot, what the text calls it.
    """

    def __init__(self, body: Mapping[str, Any], family: Family, renames: Mapping[str, str]) -> None:
        """Take a template apart.

        Raises:
            ValueError: with the reason why it cannot be carried over.
        """
        self.family, self.renames = family, renames
        self.worded, self.listed = False, False
        self.choices: tuple[str, ...] = ()
        self.columns: dict[str, str] = {}
        self._read_choices(body.get(CHOICES))
        prompt, response = self._sides(_parsed(body.get("jinja")))
        asked, told = templates.names_in(response), templates.names_in(prompt)
        if not asked:
            raise ValueError("answers with the same words for every record")
        if not (asked <= set(family.target) or asked <= set(family.inputs)):
            raise ValueError(f"answers with {', '.join(sorted(asked))}, not with {', '.join(family.target)} alone")
        self.prompt, self.response, self.names = prompt, response, asked | told
        self.kind: Literal["zero_shot", "inverted"] = "zero_shot" if asked <= set(family.target) else "inverted"

    def template(self, name: str) -> Template:
        """Return it as a template of ours."""
        needs = tuple(sorted(self.names - set(self.family.slots)))
        return Template(id=name, kind=self.kind, needs=needs, prompt=self.prompt, response=self.response)

    def _read_choices(self, value: Any) -> None:
        """Take the answer choices: a list, texts parted by the border, or a list of the record joined by it."""
        if isinstance(value, str) and not _CODE.search(value):
            value = [part.strip() for part in value.split(BORDER)]
        if isinstance(value, str):
            printed = [node for output in _parsed(value).body for node in getattr(output, "nodes", [output])]
            joined = printed[0] if len(printed) == 1 else None
            if not isinstance(joined, nodes.Filter) or BORDER not in (_separator(joined) or ""):
                raise ValueError("its answer choices are worked out by an expression")
            if joined.node is None or self._slot(joined.node) != "choices":
                raise ValueError("its answer choices are not the slot 'choices'")
            self.listed = True
        elif isinstance(value, list):
            if any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in value):
                raise ValueError("an answer choice is no text; quote words such as yes and no in the file")
            self.choices = tuple(str(one).strip() for one in value)
        elif value is not None:
            raise ValueError("its answer choices are no list")

    def _sides(self, parsed: nodes.Template) -> tuple[str, str]:
        """Return prompt and answer as texts of ours."""
        sides = [""]
        for plain, text in _merged(self._pieces(parsed)):
            if plain:
                first, *rest = text.split(BORDER)
                sides[-1] += first
                sides += rest
            elif sides[-1].endswith("{"):
                raise ValueError("a brace stands before a field")
            else:
                bulleted = re.search(r"(?:^|\n)- $", sides[-1]) is not None and text.endswith(_BULLETS)
                sides[-1] = sides[-1][:-2] if bulleted else sides[-1]
                sides[-1] += "{{ " + (f"{text.removesuffix(_BULLETS)} | bullets" if bulleted else text) + " }}"
        if len(sides) != 2:
            raise ValueError(f"has {len(sides) - 1} borders {BORDER} between prompt and answer, not one")
        # Blanks at the end of a line are seen by nobody, and the public files are full of them.
        prompt, response = (re.sub(r"[ \t]+\n", "\n", side).strip() for side in sides)
        if not prompt or not response:
            raise ValueError("its prompt or its answer is blank")
        return prompt, response

    def _pieces(self, parsed: nodes.Template) -> Iterator[tuple[bool, str]]:
        """Yield plain text (True) and expressions of ours (False)."""
        for output in parsed.body:
            if not isinstance(output, nodes.Output):
                raise ValueError(f"has {_BLOCKS.get(type(output), f'a block ({type(output).__name__.lower()})')}")
            for node in output.nodes:
                if isinstance(node, nodes.TemplateData):
                    yield True, node.data
                elif (literal := self._literal(node)) is not None:
                    yield True, literal
                else:
                    yield False, self._expression(node)

    def _literal(self, node: nodes.Node) -> str | None:
        """Return the words of an expression that are the same for every record."""
        if isinstance(node, nodes.Const) and isinstance(node.value, str | int) and not isinstance(node.value, bool):
            return str(node.value)
        if _is_choices(getattr(node, "node", None)) and self.choices:
            index = getattr(node, "arg", None)
            if isinstance(node, nodes.Getitem) and isinstance(index, nodes.Const):
                if type(index.value) is not int or not 0 <= index.value < len(self.choices):
                    raise ValueError(f"there is no answer choice {index.value!r}")
                return self.choices[index.value]
            separator = _separator(node) if isinstance(node, nodes.Filter) else None
            if separator is not None and "label" not in self.family.target:
                return separator.join(self.choices)
        return None

    def _expression(self, node: nodes.Node) -> str:
        """Return an expression of ours."""
        if isinstance(node, nodes.Getitem) and _is_choices(node.node):
            return self._answer(node.arg)
        if isinstance(node, nodes.Filter) and node.node is not None:
            separator = _separator(node)
            if separator is not None:
                return self._joined(node.node, separator)
            if node.name not in SAME or node.args or node.kwargs:
                raise ValueError(f"uses the filter '{node.name}'")
            return f"{self._expression(node.node)} | {node.name}"
        slot = self._slot(node)
        types = self.family.types[slot]
        if "list" in types and len(types) > 1:
            return f"{slot} | commas"
        if "list" in types or "messages" in types:
            raise ValueError(f"prints '{slot}', which is a list, as it is")
        return slot

    def _answer(self, index: nodes.Node) -> str:
        """Return the slot of the right answer, which here is worded already."""
        if not self.choices and not self.listed:
            raise ValueError("points at answer choices and has none")
        slot = self._slot(index)
        if slot not in self.family.target:
            raise ValueError(f"chooses the answer by '{slot}', which is not the answer of the family")
        self.worded |= not self.listed
        return slot

    def _joined(self, node: nodes.Node, separator: str) -> str:
        """Return a listing of the choices, or of a slot that is a list."""
        count = len(self.choices) if _is_choices(node) else 0
        slot = "choices" if _is_choices(node) else self._slot(node)
        if _is_choices(node) and not count and not self.listed:
            raise ValueError("lists answer choices and has none")
        self.worded |= count > 0
        if not _is_choices(node) and "list" not in self.family.types[slot]:
            raise ValueError(f"joins '{slot}', which is no list")
        name = "options" if slot == "choices" else slot
        if separator == " or " and count == 2:
            return f"{name} | inline"
        known = {", ": "commas", "\n": "lines"}.get(separator)
        return f"{name} | {known}" if known else f"{name} | join({json.dumps(separator, ensure_ascii=False)})"

    def _slot(self, node: nodes.Node) -> str:
        """Return the slot that a name, or a path into a column, stands for."""
        column = _path(node)
        if column == CHOICES:
            raise ValueError("prints the answer choices as they are")
        slot = self.renames.get(column, column)
        if column not in self.renames and column in self.renames.values():
            raise ValueError(f"'{column}' is a column beside the one that is renamed so")
        if slot not in self.family.types:
            raise ValueError(f"'{column}' is no slot; --field {column}=SLOT renames it")
        self.columns[slot] = column
        return slot


_BULLETS = ' | join("\\n- ")'


def _parsed(text: Any) -> nodes.Template:
    if not isinstance(text, str):
        raise ValueError("has no text `jinja`")
    if len(text) > TEXT_CAP:
        raise ValueError(f"its text is longer than {TEXT_CAP:,} characters")
    try:
        return templates.parsed(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"line {error.lineno} of its text: {error.message}") from None
    except RecursionError:
        raise ValueError("its text is nested too deeply") from None


def _merged(pieces: Iterator[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """Join neighbouring words, and refuse those that would be code here."""
    found: list[tuple[bool, str]] = []
    for plain, text in pieces:
        if plain and found and found[-1][0]:
            found[-1] = (True, found[-1][1] + text)
        else:
            found.append((plain, text))
    if any(plain and _CODE.search(text) for plain, text in found):
        raise ValueError("its words hold {{, {% or {#")
    return found


def _is_choices(node: Any) -> bool:
    return isinstance(node, nodes.Name) and node.name == CHOICES


def _separator(node: nodes.Filter) -> str | None:
    """Return the separator of a join, None for another filter."""
    if node.name != "join" or node.kwargs or len(node.args) > 1:
        return None
    value = node.args[0].value if node.args and isinstance(node.args[0], nodes.Const) else "" if not node.args else None
    return value if isinstance(value, str) else None


def _path(node: nodes.Node) -> str:
    """Return the dotted path of a name or of a constant part of a column."""
    if isinstance(node, nodes.Name):
        return node.name
    part: Any = None
    if isinstance(node, nodes.Getattr):
        part = node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        part = node.arg.value
    if isinstance(part, str | int) and not isinstance(part, bool) and re.fullmatch(r"[^.\s-][^.]*", str(part)):
        return f"{_path(node.node)}.{part}"  # type: ignore[attr-defined]
    if isinstance(node, nodes.Call):
        name = getattr(node.node, "name", None) or getattr(node.node, "attr", "a function")
        raise ValueError(f"calls {name}()")
    raise ValueError(f"holds an expression ({type(node).__name__.lower()})")
