"""Concepts: examples of what a check looks for, and of what it must leave alone, as data in `rules/concepts/`.

A text may hold slots, `<name>`: each is filled from the lists of its file or of `groups.toml`, by a hash, in a bounded
number of draws. Slots that have a mask stand for people: their phrases are replaced by the mask in every text, before
training and before judging, so that no verdict can depend on which group is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from curate.errors import UserError, suggest
from curate.rulefile import RULES, STRICT, Header, load
from curate.schema import digest

FOLDER: Path = RULES / "concepts"
CATEGORIES = ("hate", "harassment", "violence", "sexual", "self-harm")
HARMLESS = "harmless"
# Draws per text: with more the encoder would see the same sentence again instead of another one, and wait for it.
DRAWS = 16
_SLOT = re.compile(r"<([\w-]+)>")


class Concept(BaseModel):
    """One idea: `texts` that express it and `contrast` that does not, filled `draws` times.

    `hits` and `misses` test the fitted check and are never trained on.
    """

    model_config = STRICT
    id: str
    draws: int = Field(default=1, ge=1, le=DRAWS)
    texts: tuple[str, ...] = ()
    contrast: tuple[str, ...] = ()
    hits: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()


class ConceptFile(Header):
    """The concepts of one category, or slots alone that all files share.

    `masks` gives a slot what its phrases become.
    """

    language: str
    category: Literal["hate", "harassment", "violence", "sexual", "self-harm", "harmless"] | None = None
    masks: dict[str, str] = Field(default_factory=dict)
    slots: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    concepts: tuple[Concept, ...] = ()


@dataclass(frozen=True)
class Example:
    """A text with the category it belongs to (None: harmless) and the template it was filled from."""

    text: str
    category: str | None
    template: str
    concept: str


@dataclass(frozen=True)
class Concepts:
    """All files of a folder by name."""

    files: Mapping[str, ConceptFile]

    @cached_property
    def masks(self) -> dict[str, str]:
        """The masks by slot."""
        return {name: mask for file in self.files.values() for name, mask in file.masks.items()}

    @cached_property
    def shared(self) -> dict[str, tuple[str, ...]]:
        """Slots of files without a category, for all files."""
        found = [file.slots for file in self.files.values() if file.category is None]
        return {name: fillers for slots in found for name, fillers in slots.items()}

    @cached_property
    def _masked(self) -> tuple[re.Pattern[str], dict[str, str]]:
        """The phrases with a mask as one expression, the longest first, and the mask of each."""
        phrases = {phrase: mask for name, mask in self.masks.items() for phrase in self.shared.get(name, ())}
        longest = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
        return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest))})\b"), phrases

    def masked_phrases(self) -> list[str]:
        """Return the phrases that have a mask."""
        return sorted(self._masked[1])

    def hide(self, plain: str) -> str:
        """Return a text in lower case with every group replaced by its mask."""
        pattern, phrases = self._masked
        return pattern.sub(lambda match: phrases[match[0]], plain)

    def examples(self) -> list[Example]:
        """Return all examples, filled; the order is that of the files."""
        found: list[Example] = []
        for name, file in self.files.items():
            slots = {**self.shared, **file.slots}
            for concept in file.concepts:
                place = f"{name}/{concept.id}"
                for texts, category in ((concept.texts, file.category), (concept.contrast, None)):
                    for template in texts:
                        filled = self._filled(template, slots, draws=concept.draws, place=place)
                        found += [Example(text, category, template, place) for text in filled]
        return found

    def _filled(self, template: str, slots: Mapping[str, tuple[str, ...]], *, draws: int, place: str) -> list[str]:
        """Return different fillings of a template; the next draw takes the next filler of every slot."""
        if unknown := [name for name in _SLOT.findall(template) if name not in slots]:
            raise UserError(f"rules/concepts, {place}", f"no slot '{unknown[0]}'", suggest(unknown[0], slots))
        found: dict[str, None] = {}
        for draw in range(draws):
            pieces = _SLOT.split(template)
            for number in range(1, len(pieces), 2):
                name = pieces[number]
                start = int(digest(template, str(number))[:8], 16)
                pieces[number] = self.masks.get(name) or slots[name][(start + draw) % len(slots[name])]
            found["".join(pieces)] = None
        return list(found)


def read(folder: Path = FOLDER) -> Concepts:
    """Return the concepts of a folder.

    Raises:
        UserError: for a folder without files, or a file that breaks the format.
    """
    files = {path.stem: load(path, ConceptFile) for path in sorted(folder.glob("*.toml"))}
    if not files:
        raise UserError(str(folder), "holds no .toml file", "give the folder of the concept files")
    return Concepts(files)
