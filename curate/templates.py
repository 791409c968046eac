"""Template texts as programs: Jinja in a sandbox, compiled once, filled with a record's values.

The values are never compiled, so a record that itself holds `{{` or `{%` comes out literally. Blanks around a template
text in its file are cut before it is compiled; what is filled in is never cut, so an answer keeps its exact text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from curate import joining
from curate.errors import UserError, several, suggest
from curate.rulebook import DERIVED, Family, Template

Program = Callable[[Mapping[str, Any]], str]

# Compiled texts kept: several times the bundled templates, so that none is compiled twice in a run.
_CACHED_TEXTS = 4096
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@lru_cache(maxsize=1024)
def letter_name(index: int) -> str:
    """Return the letter of an option by its place: 0 is A, 25 is Z, 26 is AA."""
    name = ""
    while index >= 0:
        index, place = divmod(index, len(_LETTERS))
        name = _LETTERS[place] + name
        index -= 1
    return name


def bullets(items: Sequence[str] | str) -> str:
    """Return one line `- item` per item."""
    return "\n".join(f"- {item}" for item in _listed(items))


def lettered(items: Sequence[str] | str) -> str:
    """Return one line `(A) item` per item."""
    return "\n".join(f"({letter_name(index)}) {item}" for index, item in enumerate(_listed(items)))


def numbered(items: Sequence[str] | str) -> str:
    """Return one line `1. item` per item."""
    return "\n".join(f"{index}. {item}" for index, item in enumerate(_listed(items), 1))


def counted(items: Sequence[str] | str) -> str:
    """Return one line `(1) item` per item."""
    return "\n".join(f"({index}) {item}" for index, item in enumerate(_listed(items), 1))


def inline(items: Sequence[str] | str) -> str:
    """Return `a`, `a or b`, `a, b or c`."""
    *rest, last = _listed(items) or [""]
    return f"{', '.join(rest)} or {last}" if rest else last


def commas(items: Sequence[str] | str) -> str:
    """Return `a, b, c`; a text as it is."""
    return ", ".join(_listed(items))


def lines(items: Sequence[str] | str) -> str:
    """Return one line per item; a text as it is."""
    return "\n".join(_listed(items))


def json(value: Any) -> str:
    """Return a value as JSON, characters beyond ASCII as they are, a blank after each comma of a list."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(json, value))}]"
    return orjson.dumps(value).decode()


# Filters of Jinja that give little more than they take. Others pad to a width, repeat, or reach attributes by name.
HARMLESS = frozenset(
    {
        "abs", "capitalize", "count", "d", "default", "first", "float", "int", "last", "length", "list", "lower", "max",
        "min", "reverse", "round", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper", "wordcount",
    }
)  # fmt: skip
# Filters that put a text between or in place of others: once, with a text that stands in the template, they multiply a
# value by at most that text's length; one over another, or with a value, there would be no bound.
_INSERTING = ("join", "replace")
# What templates are made of. A variable that is set, or a macro, could double a text again and again; a loop in a loop
# could go on for ever.
_REFUSED: dict[type[nodes.Node], str] = {
    **dict.fromkeys((nodes.Assign, nodes.AssignBlock, nodes.With), "variables are not set in templates"),
    **dict.fromkeys((nodes.Macro, nodes.CallBlock, nodes.Call), "functions and macros are not called in templates"),
    **dict.fromkeys((nodes.FilterBlock, nodes.Block, nodes.Extends, nodes.Include), "one text is one template"),
    **dict.fromkeys((nodes.Import, nodes.FromImport), "one text is one template"),
}
FILTERS = {f.__name__: f for f in (bullets, lettered, numbered, counted, inline, commas, lines, json)}
# Those that a text may have and still be joined of its parts.
_JOINED: Mapping[str, Callable[[Any], Any]] = {**FILTERS, "trim": lambda value: str(value).strip()}


def _listed(items: Sequence[str] | str) -> list[str]:
    return [items] if isinstance(items, str) else list(items)


def _printable(value: Any) -> Any:
    """Refuse to print what has no single plain wording; an undefined name raises by itself when it is printed."""
    if isinstance(value, list | tuple | dict | bool) or value is None:
        raise TypeError(f"prints a {type(value).__name__}; use a filter such as {', '.join(FILTERS)}")
    return value


class Sandbox(ImmutableSandboxedEnvironment):
    """Programs that reach nothing but their values, and whose operators give nothing of endless size."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse powers, texts and lists times a number, and the widths of `%`; other products are worked out.

        Raises:
            SecurityError: for what is refused.
        """
        if operator == "**":
            raise SecurityError("`**`: powers are not worked out, as they may have no end")
        if not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError(f"`{operator}` takes two numbers; of texts and lists it may have no end")
        return super().call_binop(context, operator, left, right)


@lru_cache(maxsize=1)
def _environment() -> Sandbox:
    environment = Sandbox(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=False,
        trim_blocks=True,  # a line that only holds a block leaves no empty line
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.globals.clear()
    del environment.filters["random"]  # chance is a hash of seed and record, nothing else
    environment.filters.update(FILTERS)
    return environment


@lru_cache(maxsize=_CACHED_TEXTS)
def program(text: str) -> Program:
    """Compile a template text.

    Returns:
        A function from values by name to the filled text; it raises UserError where the template, not the record, is
        wrong.

    Raises:
        UserError: for a syntax error.
    """
    text = text.strip()
    try:
        _require_simple(parsed(text))
        return _joined(text) or _jinja(text)
    except TemplateSyntaxError as error:
        raise UserError(f"template text line {error.lineno}", str(error.message), "mend the template") from error


def _mistake(text: str, error: Exception) -> UserError:
    """Return what is wrong with a template that could not be filled."""
    what = f"{error} has no value" if isinstance(error, KeyError) else str(error)
    return UserError(f"template text {text[:60]!r}", what, "mend the template")


def _require_simple(template: nodes.Template) -> None:
    """Refuse what could take time or memory without end, or reach beyond the values.

    Raises:
        TemplateSyntaxError: naming it.
    """
    node: nodes.Node
    for node in template.find_all(nodes.Node):
        what = next((said for kind, said in _REFUSED.items() if isinstance(node, kind)), None)
        if isinstance(node, nodes.Filter) and node.name in _INSERTING:
            if not all(isinstance(arg, nodes.Const) for arg in node.args) or node.kwargs or _inserts(node.node):
                what = f"'{node.name}' takes texts in quotes, once"
        elif isinstance(node, nodes.Filter) and node.name not in FILTERS and node.name not in HARMLESS:
            known = {*HARMLESS, *_INSERTING, *FILTERS}
            what = f"no filter '{node.name}'; {suggest(node.name, known)}"
        elif isinstance(node, nodes.For) and (node.recursive or node.find(nodes.For)):
            what = "a loop in a loop may have no end"
        if what:
            raise TemplateSyntaxError(what, node.lineno)


def _inserts(node: nodes.Node | None) -> bool:
    return node is not None and any(
        f.name in _INSERTING for f in [node, *node.find_all(nodes.Filter)] if isinstance(f, nodes.Filter)
    )


def _jinja(text: str) -> Program:
    template = _environment().from_string(text)
    blocks, context = template.root_render_func, template.new_context

    def filled(values: Mapping[str, Any]) -> str:
        try:
            # Shared, so that the values are not copied; the sandbox keeps templates from changing them.
            return "".join(blocks(context(values, shared=True)))  # type: ignore[arg-type]
        except (TemplateError, TypeError, KeyError) as error:
            raise _mistake(text, error) from error

    return filled


def _joined(text: str) -> Program | None:
    """Return the program of a text that is joined of its parts, None for any other."""
    fill = joining.filling(parsed(text).body, filters=_JOINED, plain=_printable)
    if fill is None:
        return None

    def filled(values: Mapping[str, Any]) -> str:
        try:
            return fill(values)
        except (TemplateError, TypeError, KeyError) as error:
            raise _mistake(text, error) from error

    return filled


def parsed(text: str) -> nodes.Template:
    """Return the parts of a template text, unrun.

    Raises:
        TemplateSyntaxError: for a syntax error.
    """
    return _environment().parse(text)


def names_in(text: str) -> set[str]:
    """Return the names that a template text uses and does not set itself."""
    try:
        return meta.find_undeclared_variables(parsed(text))
    except TemplateSyntaxError as error:
        raise UserError(f"template text line {error.lineno}", str(error.message), "mend the template") from error


def check(family: Family) -> None:
    """Compile all templates of a family and see that every name in them is certain to have a value.

    Raises:
        UserError: listing each syntax error, unknown name, and optional name that is used and not in `needs`.
    """
    mistakes = [f"template '{one.id}': {text}" for one in family.templates for text in _mistakes(one, family)]
    if mistakes:
        raise several(f"templates of '{family.family}'", mistakes)


def _mistakes(template: Template, family: Family) -> list[str]:
    try:
        texts = (template.prompt, template.again, template.response)
        used = sorted(set().union(*map(names_in, texts)))
        for text in texts:
            program(text)
    except UserError as error:
        return [f"{error.where}: {error.what}"]
    except (TemplateError, TypeError) as error:
        return [str(error)]
    known = {*family.types, *DERIVED}
    unknown = [f"'{name}' is no slot; {suggest(name, known)}" for name in used if name not in known]
    certain = {*family.slots, *template.needs}
    unsure = [f"'{name}' may be absent; add it to `needs`" for name in used if name in known - certain]
    return unknown + unsure
