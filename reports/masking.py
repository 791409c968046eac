"""Personal data in shown texts, replaced by its kind whether or not a step of the run looked for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from curate import personal
from reports import shown

# Where a value is repeated beside its place it is masked too, unless it is so short that it says nothing.
SHORTEST_REPEAT = 4
Place = tuple[int, int, str]


def masked(text: str) -> tuple[str, int]:
    """Return a text with all personal data in it replaced by its kind, and how many places were; cut it afterwards."""
    return masked_together({"": text})[""]


def masked_together(
    texts: Mapping[str, str],
    places: Mapping[str, Iterable[Place]] | None = None,
    values: Iterable[tuple[str, str]] = (),
) -> dict[str, tuple[str, int]]:
    """Mask texts that are shown beside each other: what is found in one of them is masked in all.

    Args:
        texts: the whole texts, by name.
        places: what a step located already, by name of the text: start and end in code points, and the kind.
        values: what a step located elsewhere: the value and its kind.

    Returns:
        Each text masked, and how many places of it.
    """
    found = {
        name: [
            # What was located in the joined text may lie outside of this part of it.
            *(place for place in (places or {}).get(name, ()) if 0 <= place[0] < min(place[1], len(text))),
            *((start, end, kind) for kind, start, end, _ in personal.find_in(text)),
        ]
        for name, text in texts.items()
    }
    known = {(text[start:end], kind) for name, text in texts.items() for start, end, kind in found[name]}
    for name, text in texts.items():
        for value, kind in sorted(known | set(values)):
            found[name] += [(at, at + len(value), kind) for at in _occurrences(text, value)]
    return {name: _replaced(text, found[name]) for name, text in texts.items()}


def _occurrences(text: str, value: str) -> Iterator[int]:
    """Yield where a value stands in a text."""
    at = text.find(value) if len(value) >= SHORTEST_REPEAT else -1
    while at >= 0:
        yield at
        at = text.find(value, at + len(value))


def _replaced(text: str, places: Iterable[Place]) -> tuple[str, int]:
    """Return the text with each place, overlapping ones as one, replaced by its kind, and how many there were."""
    parts, end = [], 0
    for start, stop, kind in sorted(place for place in places if place[0] < place[1]):
        if start >= end:
            parts += [text[end:start], f"‹{shown.clipped(kind, 30)}›"]
        end = max(end, stop)
    return "".join(parts) + text[end:], len(parts) // 2
