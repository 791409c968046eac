"""The data in `rules/`: template families, word lists and patterns, read strictly.

Each file says why it exists and carries its own examples; `rules/README.md` describes the formats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from curate.errors import UserError, several, suggest
from curate.rulefile import RULES as RULES
from curate.rulefile import STRICT, Header, rule_file, table
from curate.rulefile import load as load

SlotType = Literal["text", "value", "list", "messages"]
# What templates may use beside slots; `curate.render` works them out.
DERIVED = ("options", "letter", "number")
Style = Literal["question", "command", "form", "dialogue", "plain", "formal", "casual"]


def _tuple(value: Any) -> Any:
    """Let a file write one item without brackets."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _compiled(value: Any) -> Any:
    try:
        return re.compile(value) if isinstance(value, str) else value
    except re.error as fault:
        raise ValueError(f"is not a regular expression: {fault}") from None


def _records(value: Any) -> Any:
    """Let a file give one example without a list."""
    return (value,) if isinstance(value, dict) else tuple(value) if isinstance(value, list) else value


_Names = Annotated[tuple[str, ...], BeforeValidator(_tuple)]
_Types = Annotated[tuple[SlotType, ...], BeforeValidator(_tuple), Field(min_length=1)]


class Pattern(BaseModel):
    """A regular expression that names what it finds; `hits` and `misses` are texts that test it."""

    model_config = STRICT
    id: str
    kind: str
    regex: Annotated[re.Pattern[str], BeforeValidator(_compiled)]
    validator: str | None = None
    hits: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()


# What nobody writes but to mean a class of letters, or any number of them; a sign by itself may belong to a word.
_MEANT = re.compile(r"\\[bBdDsSwW]|(?<!\.)\.[*+]|\[[^\]]+-[^\]]+\]")


def _literal(term: str) -> str:
    """Refuse a term that was meant as a regular expression: it would be looked for letter by letter."""
    if found := _MEANT.search(term):
        reason = f"'{found[0]}' is of a regular expression, and a term is looked for as it is written"
        raise ValueError(f"{reason}: write out the words that you mean, or make it a pattern (rules/patterns)")
    return term


class Entry(BaseModel):
    """Terms of one category; `weight` in [0, 1] says how much a hit counts, `hits` and `misses` are test sentences."""

    model_config = STRICT
    id: str | None = None
    category: str
    terms: tuple[Annotated[str, AfterValidator(_literal)], ...] = Field(min_length=1)
    weight: float = Field(default=1.0, ge=0, le=1)  # a listed term counts in full unless the file says less
    hits: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()


class Lexicon(Header):
    """A word list of one language."""

    language: str
    entries: tuple[Entry, ...] = Field(min_length=1)


class PatternFile(Header):
    """A set of regular expressions."""

    patterns: tuple[Pattern, ...] = Field(min_length=1)


class Template(BaseModel):
    """One way of putting a record into words.

    `prompt` and `response` are Jinja texts over slots and derived values; `again` is how the next record of a dialogue
    is asked about, once the first was by `prompt` (without it, by `prompt` too); `turns` names, instead of all three,
    the slot of type messages that is the conversation already. `needs` and `without` name optional slots and derived
    values that must be there, or must not; `unused` those that are left out on purpose. `style` says how it is worded.
    An `unseen` one is kept from training: only held-out rows are worded so.
    """

    model_config = STRICT
    id: str = Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")
    kind: Literal["zero_shot", "chain_of_thought", "inverted"]
    style: tuple[Style, ...] = ()
    unseen: bool = False
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    prompt: str = ""
    again: str = ""
    response: str = ""
    turns: str | None = None

    @cached_property
    def wraps(self) -> bool:
        """Tell whether the response has words or signs of its own around the answer."""
        return bool(re.sub(r"\{\{.*?\}\}", "", self.response).strip())


class Family(BaseModel):
    """A task family: its slots, which of them are the answer, and its templates.

    `either` lists groups of optional slots of which one group must be there in full. `example` holds records that
    previews show, `example_labels` the label set they come from; `metrics` are those by which answers are judged.
    """

    model_config = STRICT
    family: str = Field(pattern=r"^[a-z0-9_]+$")
    why: str = Field(min_length=1)
    target: _Names = Field(min_length=1)
    slots: dict[str, _Types] = Field(default_factory=dict)
    optional: dict[str, _Types] = Field(default_factory=dict)
    either: tuple[tuple[str, ...], ...] = ()
    language: str = "en"
    metrics: tuple[str, ...] = ()
    example: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_records), Field(min_length=1)]
    example_labels: tuple[str, ...] = ()
    templates: tuple[Template, ...] = Field(min_length=1)

    @cached_property
    def types(self) -> dict[str, tuple[SlotType, ...]]:
        """All slots with their types, required ones first, in the order of the file."""
        return {**self.slots, **self.optional}

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The slots that are not the answer."""
        return tuple(slot for slot in self.types if slot not in self.target)


class _MoreTemplates(BaseModel):
    """A file without slots: it adds templates to a family that another file describes."""

    model_config = STRICT
    family: str
    why: str = Field(min_length=1)
    templates: tuple[Template, ...] = Field(min_length=1)


def lexicon(name: str | Path) -> Lexicon:
    """Return the word list `rules/lexicons/<name>.toml`, or the file given as a `Path`."""
    return load(rule_file("lexicons", name), Lexicon)


def patterns(name: str | Path) -> list[Pattern]:
    """Return the patterns of `rules/patterns/<name>.toml`, or of the file given as a `Path`, in its order."""
    path = rule_file("patterns", name)
    found = load(path, PatternFile).patterns
    ids = [pattern.id for pattern in found]
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        raise UserError(str(path), f"id used more than once: {', '.join(repeated)}", "give each its own id")
    return list(found)


def families(extra: Path | None = None) -> dict[str, Family]:
    """Return the task families by name, sorted.

    Args:
        extra: a folder with template files of the user's own: whole families under new names, or files without slots
            that add templates to a bundled family.

    Raises:
        UserError: for a file that breaks the format, a slot that is not one, an id or a family that is taken.
    """
    found: dict[str, Family] = {}
    for path in sorted((RULES / "templates").glob("*.toml")):
        family = load(path, Family)
        found[family.family] = _checked(family, path)
    own = sorted(extra.glob("*.toml")) if extra else []
    if extra and not own:
        raise UserError(
            str(extra), "holds no .toml file with templates", "name the folder that your template files are in"
        )
    for path in own:
        family = _own_family(path, found)
        found[family.family] = _checked(family, path)
    return dict(sorted(found.items()))


def _own_family(path: Path, found: Mapping[str, Family]) -> Family:
    """Return what a user's file describes: a new family, or a known one with more templates."""
    if {"slots", "optional", "target", "example"} & table(path).keys():
        family = load(path, Family)
        if family.family in found:
            fix = "choose another name, or leave only family, why and templates to add templates to it"
            raise UserError(str(path), f"family '{family.family}' is taken", fix)
        return family
    more = load(path, _MoreTemplates)
    if more.family not in found:
        raise UserError(str(path), f"unknown family '{more.family}'", suggest(more.family, found))
    base = found[more.family]
    return base.model_copy(update={"templates": base.templates + more.templates})


def _checked(family: Family, path: Path) -> Family:
    """Refuse names that a family's file uses and does not have."""
    mistakes = _slot_mistakes(family)
    ids = [template.id for template in family.templates]
    mistakes += [f"id '{name}' is used more than once" for name in sorted({n for n in ids if ids.count(n) > 1})]
    for template in family.templates:
        mistakes += [f"template '{template.id}': {text}" for text in _template_mistakes(template, family)]
    if mistakes:
        raise several(str(path), mistakes)
    return family


def _slot_mistakes(family: Family) -> list[str]:
    either = [slot for group in family.either for slot in group]
    shown = list(dict.fromkeys(slot for record in family.example for slot in record))
    mistakes = [
        f"{key}: '{name}' is not a slot; {suggest(name, family.types)}"
        for key, names in (("target", family.target), ("either", either), ("example", shown))
        for name in names
        if name not in family.types
    ]
    mistakes += [f"slot '{slot}' is both required and optional" for slot in family.slots if slot in family.optional]
    return mistakes + [f"slot '{slot}' has the name of a derived value" for slot in family.types if slot in DERIVED]


def _template_mistakes(template: Template, family: Family) -> list[str]:
    mistakes = []
    if not template.id.startswith(f"{family.family}."):
        mistakes.append(f"the id must begin with '{family.family}.'")
    known = [*family.optional, *DERIVED]
    for name in (*template.needs, *template.without, *(slot for slot in template.unused if slot not in family.slots)):
        if name not in known:
            mistakes.append(f"'{name}' is neither an optional slot nor a derived value; {suggest(name, known)}")
    if template.turns is not None:
        if "messages" not in family.types.get(template.turns, ()):
            mistakes.append(f"turns: '{template.turns}' is not a slot of type messages")
        if template.turns not in {*family.slots, *template.needs}:
            mistakes.append(f"turns: add '{template.turns}' to `needs`, it may be absent")
        if template.prompt or template.again or template.response:
            mistakes.append("has turns and also a prompt, again or response: leave one out")
    elif template.again and template.kind == "inverted":
        mistakes.append("again: dialogues are worded by templates that ask for the answer: leave it out")
    elif not template.prompt.strip() or not template.response.strip():
        mistakes.append("the prompt or the response is blank")
    return mistakes
