"""What a closed answer is chosen from, and in which order it is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from curate import chance

# One label is no choice, and a prompt that lists more than 20 is mostly list.
LABELS = range(2, 21)
# Choices that speak of other choices keep the order they came in.
_POSITIONAL = re.compile(
    r"\b(?:above|below|preceding|previous|both|neither|[a-d1-4] (?:and|or) [a-d1-4])\b", re.IGNORECASE
)


def ordered(choices: Sequence[str], *, record: str, seed: int) -> list[str]:
    """Return the choices of a record in the order in which its prompts list them: shuffled by a hash of the record."""
    if _fixed(tuple(choices)):
        return list(choices)
    return [choices[place] for place in chance.shuffled(seed, record, "options", size=len(choices))]


# Sets of labels recur with every row; a few thousand sets of choices are a few megabytes.
@lru_cache(maxsize=4096)
def _fixed(choices: tuple[str, ...]) -> bool:
    return _POSITIONAL.search("\n".join(choices)) is not None
