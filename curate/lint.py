"""Faults of templates that a program can see: in their texts, and in what they make of the examples of their family.

Most of them stand in public collections of templates: a letter after a slot, a heading glued to the text before it,
options that are promised and not listed, a pattern that is there twice, leading blank lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from curate import render, rulebook, rulefile, templates
from curate.errors import UserError, several
from curate.rulebook import DERIVED, Family, Template

# Words of a template's own in a prompt and in a response: a record should say most of it. The longest of the bundled
# ones have 26 and 8.
PROMPT_WORDS, RESPONSE_WORDS = 80, 20
_SLOT = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_QUOTED = re.compile(r'"[^"\n]*"')
_GLUED = re.compile(r"\w\{\{|\}\}\w|[:;,.?!]\{\{")
_MARKERS = re.compile(r"\|\|\||<\|[^|]*\|>|\[/?INST\]|###|\bTODO\b|\{\{\s*\}\}|(?<!\{)\{\w+\}(?!\})")
_PROMISED = re.compile(
    r"\b(?:options|choices|choose (?:one|from|between)|(?:one|which) of (?:these|the following)|"
    r"possible (?:answers|verdicts))\b",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"\b(\w+)[^\S\n]+\1\b", re.IGNORECASE)
_HEADED = re.compile(r"^(\w+):[^\S\n]*\{\{\s*(\w+)", re.MULTILINE)
_WHETHER = re.compile(r"\b(yes|true)\b\W{1,3}(?:or\W)?\W?(no|false)\b", re.IGNORECASE)
_BLANKS = re.compile(r"[^\S\n]{2,}|\n{3,}|[^\S\n]\n|\n[^\S\n]")
_MARKS = re.compile(r"\s[,.?!](?=\s|$)|[?!.]{2}")
# A value that no text holds by chance, to see where it comes out.
_PROBE = "zq{}q"


@dataclass(frozen=True)
class Fault:
    """Something wrong with a template: where, what, and how to mend it."""

    file: str
    line: int
    template: str
    what: str
    fix: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.file}:{self.line}: template '{self.template}': {self.what}; {self.fix}"


def require(folder: Path) -> None:
    """Refuse a folder of the user's own templates with faults.

    Raises:
        UserError: with all of them.
    """
    if found := [*told(folder, rulebook.families(folder))]:
        raise several(str(folder), found)


def told(folder: Path, families: Mapping[str, Family]) -> Iterator[str]:
    """Give the faults of the template files of a folder, and of the examples in them, a line each.

    Args:
        folder: of the user's own templates.
        families: all families by name, with the templates of the folder.
    """
    for path in sorted(folder.glob("*.toml")):
        family = families[rulefile.table(path)["family"]]
        yield from (str(fault) for fault in faults(family, path))
        yield from examples(family) if "example" in rulefile.table(path) else ()


def faults(family: Family, path: Path) -> list[Fault]:
    """Return the faults of those templates of a family that a file holds, in its order.

    Args:
        family: with all its templates, also those of other files, with which they are compared.
        path: the file.

    Raises:
        UserError: for a template that cannot be filled at all.
    """
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    found = []
    for template in family.templates:
        first = next((n for n, line in enumerate(lines, 1) if re.match(rf'\s*id\s*=\s*"{template.id}"', line)), None)
        if first is None:
            continue
        for what, fix, part in _faults(template, family):
            found.append(Fault(str(path), _line(lines, first, part), template.id, what, fix))
    return found


def _line(lines: list[str], first: int, part: str) -> int:
    """Return the line after the id on which a part of the template begins, else that of the id."""
    wanted = part.strip("\n").split("\n")[0]
    for number in range(first, len(lines)):
        if re.match(r"\s*\[\[", lines[number]):
            break
        if wanted.strip() and wanted in lines[number]:
            return number + 1
    return first


def _faults(template: Template, family: Family) -> Iterator[tuple[str, str, str]]:
    """Give what is wrong, how to mend it, and the part of the text that it is about."""
    if template.turns is not None:
        return
    yield from _slots(template, family)
    yield from _left_out(template, family)
    for name, text, most in (
        ("prompt", template.prompt, PROMPT_WORDS),
        ("again", template.again, PROMPT_WORDS),
        ("response", template.response, RESPONSE_WORDS),
    ):
        yield from _wording(name, text, most)
    yield from _headings(template, family)
    yield from _choices(template, family)
    yield from _answers(template, family)
    yield from _filled(template, family)


def _slots(template: Template, family: Family) -> Iterator[tuple[str, str, str]]:
    """Tell which slots are left out."""
    used = templates.names_in(template.prompt) | templates.names_in(template.response)
    implied = {"choices"} if "options" in used else set()
    implied |= {"answer", "label"} if used & {"letter", "number"} else set()
    for slot in [*family.slots, *(name for name in template.needs if name not in used)]:
        if slot not in used | implied | set(template.unused):
            yield f"the slot '{slot}' is not used", "use it, or list it in `unused`", ""


def _left_out(template: Template, family: Family) -> Iterator[tuple[str, str, str]]:
    """Tell what the first turn of a dialogue shows of its record and `again` does not show of the next one."""
    if not template.again:
        return
    shown = templates.names_in(template.prompt)
    # The labels of a source are the same in every turn; choices, and the letters of options, are a record's own.
    own = "choices" in family.types or {"letter", "number"} & templates.names_in(template.response)
    for name in sorted(shown - templates.names_in(template.again) - (set() if own else {"options"})):
        yield f"`again` does not show '{name}', which the prompt shows", "the next record has another: print it", ""


def _wording(name: str, text: str, most: int) -> Iterator[tuple[str, str, str]]:
    """Tell what is untidy in a text as it stands in the file."""
    if text.startswith("\n"):
        yield f"the {name} begins with an empty line", "delete it", ""
    for match in _GLUED.finditer(text):
        yield f"'{match[0]}': text is glued to a slot", "put a blank or a line break between them", match[0]
    for match in _MARKERS.finditer(_SLOT.sub("", text)):
        yield f"a stray marker '{match[0]}' in the {name}", "slots are written {{ name }}; delete the rest", match[0]
    own = _SLOT.sub(" | ", text)
    for match in _REPEATED.finditer(own):
        yield f"'{match[0]}' says a word twice in the {name}", "say it once", match[0]
    if own.count('"') % 2:
        yield f"the {name} opens a quotation and does not close it", "close it, or delete the mark", ""
    words = len(_SLOT.sub(" ", text).split())
    if words > most:
        yield f"the {name} has {words} words of its own, more than {most}", "say it shorter", ""


def _headings(template: Template, family: Family) -> Iterator[tuple[str, str, str]]:
    """Tell of a heading with the name of one slot before another, and of an input that is printed twice."""
    for text in (template.prompt, template.again):
        for match in _HEADED.finditer(text):
            heading, slot = match[1].lower(), match[2]
            if heading in family.types and slot in family.types and heading != slot:
                yield f"'{match[1]}:' stands before the slot '{slot}'", f"print '{heading}' there", match[0]
        printed = re.findall(r"\{\{\s*(\w+)", text)
        for slot in sorted({one for one in printed if printed.count(one) > 1 and "text" in family.slots.get(one, ())}):
            yield f"the slot '{slot}' is printed twice", "print it once", ""


def _choices(template: Template, family: Family) -> Iterator[tuple[str, str, str]]:
    """Tell where options are promised or pointed at that the prompt does not list."""
    names = templates.names_in(template.prompt)
    answered = templates.names_in(template.response)
    words = _QUOTED.sub("", _SLOT.sub("", template.prompt))
    if not names & {"options", "choices"} and (match := _PROMISED.search(words)):
        yield f"'{match[0]}' promises options that are not listed", "print them: {{ options | bullets }}", match[0]
    shown = {str(label).lower() for label in (*family.example_labels, *(one.get("label") for one in family.example))}
    if "label" in answered and (match := _WHETHER.search(words)) and not {match[1].lower(), match[2].lower()} & shown:
        yield f"'{match[0]}' need not be the labels of a source", "print these: {{ options | inline }}", match[0]
    for name, filters in (("letter", ("lettered",)), ("number", ("numbered", "counted"))):
        for part, text in (("prompt", template.prompt), ("`again`", template.again or template.prompt)):
            if name in answered and not any(re.search(rf"\|\s*{one}\b", text) for one in filters):
                yield f"the answer is a {name}, and the {part} shows none", f"list options with `{filters[-1]}`", ""
                break


def _answers(template: Template, family: Family) -> Iterator[tuple[str, str, str]]:
    """Tell where the prompt gives away what is asked for."""
    asked = templates.names_in(template.response) - set(DERIVED)
    hidden = asked | (set(family.target) if template.kind != "inverted" else set())
    for slot in sorted(hidden & (templates.names_in(template.prompt) | templates.names_in(template.again))):
        yield f"the prompt holds '{slot}', which is the answer", "take it out of the prompt", ""
    wanted = set(family.inputs) if template.kind == "inverted" else set(family.target)
    for slot in sorted(asked - wanted):
        kind = "an input" if template.kind == "inverted" else "the answer"
        yield f"the response holds '{slot}', which is not {kind} of the family", "answer with one", ""


def _filled(template: Template, family: Family) -> Iterator[tuple[str, str, str]]:
    """Tell what is wrong with the template as it reads when it is filled."""
    values = _probes(template, family)
    texts = [templates.program(text)(values) for text in (template.prompt, template.again, template.response)]
    for text in texts:
        if match := _BLANKS.search(text) or _MARKS.search(text):
            near = text[max(0, match.start() - 20) : match.end() + 10]
            yield f"doubled or misplaced blanks or marks near {near!r}", "tidy the text", ""
    for other in family.templates:
        if other.id >= template.id or other.turns is not None or other.kind != template.kind:
            continue
        if set(other.without) & set(template.needs) or set(template.without) & set(other.needs):
            continue  # no record fits both
        if _plain(templates.program(other.prompt)(_probes(other, family))) == _plain(texts[0]):
            yield f"the prompt reads like that of '{other.id}'", "word it differently, or delete one", ""


def _probes(template: Template, family: Family) -> Mapping[str, object]:
    """Return a value for each name, one that tells which it is."""
    values: dict[str, object] = {}
    for slot, types in family.types.items():
        listed = "list" in types and "text" not in types and "value" not in types
        values[slot] = [_PROBE.format(slot + "1"), _PROBE.format(slot + "2")] if listed else _PROBE.format(slot)
    return {**values, "options": ["zqoption1q", "zqoption2q"], "letter": "A", "number": "1"}


def _plain(text: str) -> str:
    """Return a text without signs and case."""
    return re.sub(r"\W+", " ", text).casefold().strip()


def examples(family: Family) -> Iterator[str]:
    """Give what is wrong with the examples of a family: one that no template fits, an answer that is no option."""
    for number, record in enumerate(family.example, 1):
        place = f"example {number} of '{family.family}'"
        try:
            shown = render.preview(family, example=number - 1)
        except (UserError, ValueError) as error:
            yield f"{place}: {error}"
            continue
        if not shown:
            yield f"{place}: no template fits it"
        if family.example_labels and record.get("label") not in family.example_labels:
            yield f"{place}: the label is none of `example_labels`"
