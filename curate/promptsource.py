"""Templates of the promptsource form to a file of ours: what cannot be carried over is refused with its reason.

A file of that form is YAML (Bach et al. 2022, "PromptSource: An Integrated Development Environment and Repository for
Natural Language Prompts"): `templates` maps ids to `!Template` with `name`, `jinja` and `answer_choices`. The Jinja
text holds prompt and answer, parted by `|||`. Nothing of it is ever run: it is parsed, and only what has the same
meaning here is written down anew.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from curate import lint, rulebook, templates
from curate.errors import INPUT, UserError, several, suggest
from curate.rewording import Writer
from curate.rulebook import Family, Template
from curate.rundir import write_text
from curate.text import visible

# Bytes of a file that are read: the files of the public collection that were looked at have 2 to 9 kB, and the parser
# takes some ten seconds for a megabyte.
FILE_CAP = 1_000_000


@dataclass(frozen=True)
class Carried:
    """What became of a file.

    Args:
        templates: those that were carried over, under new ids.
        refused: name and reason of each of the others, in the order of the file.
        choices: the answers by which the label, a number from 0, is worded; empty if no template words them.
        columns: column by slot, where they differ.
    """

    templates: tuple[Template, ...]
    refused: tuple[tuple[str, str], ...]
    choices: tuple[str, ...]
    columns: Mapping[str, str]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without objects; the two tags of the form are plain maps, and what could grow without bound is refused."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse merged maps, which can double at each step."""
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.constructor.ConstructorError(None, None, "merged maps (<<) are not read", node.start_mark)


def _plain(loader: _Loader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.constructor.ConstructorError(None, None, f"{node.tag} is no map", node.start_mark)
    found: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return found


for _tag in ("!Template", "!TemplateMetadata"):
    _Loader.add_constructor(_tag, _plain)


def load(path: Path) -> dict[str, dict[str, Any]]:
    """Return the templates of a file by name, as they stand in it.

    Raises:
        UserError: for a file that is too large, no YAML, of other tags, or of another form.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_CAP + 1)
        if len(raw) > FILE_CAP:
            raise UserError(str(path), f"is larger than {FILE_CAP:,} bytes", "split it", code=INPUT)
        data = yaml.load(raw.decode("utf-8"), Loader=_Loader)
    except OSError as error:
        raise UserError(str(path), f"cannot be read: {error.strerror}", "check the path", code=INPUT) from None
    except RecursionError:
        raise UserError(str(path), "is nested too deeply", "it should be a map of templates", code=INPUT) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        what = " ".join(str(error).split())
        raise UserError(str(path), f"is no plain YAML: {what}", "only !Template tags are read", code=INPUT) from None
    listed = data.get("templates") if isinstance(data, dict) else None
    if not isinstance(listed, dict) or not listed:
        raise UserError(str(path), "has no map of `templates`", "it should be a file of promptsource", code=INPUT)
    found: dict[str, dict[str, Any]] = {}
    for key, one in listed.items():
        body = one if isinstance(one, dict) else {}
        name = body.get("name") if isinstance(body.get("name"), str) else None
        found[_fresh(name or str(key), found, " ")] = body
    return found


def carry(path: Path, *, family: Family, renames: Mapping[str, str]) -> Carried:
    """Carry over the templates of a file into a family.

    A source of ours has one wording of its labels, so of templates that word them differently only those with the most
    used answers are carried over.

    Args:
        path: a file of the form.
        family: the family that they are to belong to.
        renames: slot by the name that the file uses, dots for parts of nested columns.

    Raises:
        UserError: for a file that cannot be read, or a rename to what is no slot or to a slot twice.
    """
    for name, slot in renames.items():
        if slot not in family.types:
            raise UserError(f"--field {name}={slot}", f"'{slot}' is no slot", suggest(slot, family.types))
        if list(renames.values()).count(slot) > 1:
            raise UserError(f"--field {name}={slot}", "two names for one slot", "import their templates one by one")
    loaded = load(path)
    done: dict[str, Writer] = {}
    refused: dict[str, str] = {}
    for name, body in loaded.items():
        try:
            done[name] = Writer(body, family, renames)
        except ValueError as error:
            refused[name] = str(error)
    answers = Counter(one.choices for one in done.values() if one.worded)
    most = answers.most_common(1)[0][0] if answers else ()
    for name in [name for name, one in done.items() if one.worded and one.choices != most]:
        other, usual = " / ".join(done.pop(name).choices), " / ".join(most)
        refused[name] = f"answers with {other}, others of the file with {usual}: a source has one wording of its labels"
    made = _named(done, family)
    columns = {slot: column for one in done.values() for slot, column in one.columns.items() if slot != column}
    return Carried(made, tuple((name, refused[name]) for name in loaded if name in refused), most, columns)


def _named(done: Mapping[str, Writer], family: Family) -> tuple[Template, ...]:
    """Return the templates under ids made of their names."""
    ids = {template.id for template in family.templates}
    made: list[Template] = []
    for name, one in done.items():
        short = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "imported"
        made.append(one.template(_fresh(f"{family.family}.{short}", ids, "_")))
        ids.add(made[-1].id)
    return tuple(made)


def _fresh(name: str, taken: Container[str], joint: str) -> str:
    """Return a name that is not taken, numbered from 2."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}{joint}{number}"
    return found


def written(carried: Carried, *, family: str, why: str) -> str:
    """Return the templates as a file of ours that adds them to a family."""
    parts = [f"family = {_quoted(family)}\nwhy = {_quoted(why)}\n"]
    for one in carried.templates:
        lines = [f"\n[[templates]]\nid = {_quoted(one.id)}\nkind = {_quoted(one.kind)}"]
        if one.needs:
            lines.append(f"needs = [{', '.join(map(_quoted, one.needs))}]")
        lines += [f"prompt = {_block(one.prompt)}", f"response = {_block(one.response)}"]
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def adopt(path: Path, out: Path, *, family: Family, renames: Mapping[str, str]) -> tuple[Carried, list[str]]:
    """Write what can be carried over of a file to a file of ours, and lint it.

    Args:
        path: a file of the form.
        out: where the TOML goes; it must not be there yet.
        family: the family that the templates are to belong to.
        renames: slot by the name that the file uses.

    Returns:
        What was carried over, and the faults that the linter finds in it.

    Raises:
        UserError: when the file cannot be read, nothing of it can be carried over, or `out` exists.
    """
    if out.suffix != ".toml":
        raise UserError(str(out), "is not a .toml file", "folders of templates are read by that ending")
    if out.exists():
        raise UserError(str(out), "exists", "choose another name; own wordings are not overwritten")
    carried = carry(path, family=family, renames=renames)
    if not carried.templates:
        raise several(str(path), [f"'{visible(name)}' {reason}" for name, reason in carried.refused])
    text = written(carried, family=family.family, why=f"Carried over from the promptsource file {path.name}.")
    with tempfile.TemporaryDirectory() as name:  # alone, so that a file beside it cannot be in the way
        copy = Path(name) / out.name
        copy.write_text(text, encoding="utf-8")
        grown = rulebook.families(copy.parent)[family.family]
    templates.check(grown)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, text)
    return carried, [str(fault) for fault in lint.faults(grown, out)]


def _quoted(text: str) -> str:
    """Return a TOML string: JSON's but for DEL, which TOML wants escaped."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")


def _block(text: str) -> str:
    """Return a text as the bundled files write it, quoted where that cannot hold it."""
    plain = "'''" not in text and not text.endswith("'") and all(c.isprintable() or c in "\n\t" for c in text)
    if "\n" not in text:
        return f"'''{text}'''" if plain else _quoted(text)
    return f"'''\n{text}\n'''" if plain else _quoted(text)


def told(carried: Carried) -> dict[str, str]:
    """Return the lines that a recipe's source needs for the templates, by key."""
    lines: dict[str, str] = {}
    if carried.columns:
        pairs = ", ".join(f"{slot} = {_quoted(column)}" for slot, column in sorted(carried.columns.items()))
        lines["fields"] = f"fields = {{ {pairs} }}"
    if carried.choices:
        pairs = ", ".join(f"{_quoted(str(number))} = {_quoted(one)}" for number, one in enumerate(carried.choices))
        lines["labels"] = f"labels = {{ {pairs} }}"
    return lines
