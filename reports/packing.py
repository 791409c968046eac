"""How full the windows of a trainer would be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Windows for which packing is worked out: those that small models are commonly tuned with.
WINDOWS = (1024, 2048, 4096)
METHOD = (
    "packing: rows by length, the longest first, each into the fullest sequence that still has room (best-fit "
    "decreasing, called bfd in TRL); longer rows are cut at the window first; filled = tokens ÷ (sequences × window)"
)


def packing(lengths: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return for each window how many sequences the rows make, packed and one by one, and how full these are.

    Args:
        lengths: (n,) tokens of each row; empty rows are left out.
    """
    found = []
    for window in WINDOWS:
        cut = np.minimum(lengths[lengths > 0], window)
        sequences, tokens = sequences_needed(cut, window), int(cut.sum())
        room = {"packed": sequences * window, "alone": len(cut) * window}
        filled = {name: tokens / size if size else 0.0 for name, size in room.items()}
        found.append({"tokens": window, "rows": len(cut), "sequences": sequences, **filled})
    return found


def sequences_needed(lengths: npt.NDArray[np.int64], window: int) -> int:
    """Return how many sequences of a window best-fit decreasing needs.

    Rows of one length are placed together, and sequences with the same room left are one number: so the work grows
    with the number of different lengths (at most the window), not of rows.

    Args:
        lengths: (n,) each from 1 to the window.
        window: tokens of a sequence.
    """
    counts = np.bincount(lengths, minlength=window + 1)
    room = np.zeros(window + 1, dtype=np.int64)  # sequences by what is left in them
    needed = 0
    for length in np.flatnonzero(counts)[::-1].tolist():
        left = int(counts[length])
        while left and len(open_ones := np.flatnonzero(room[length:])):
            fullest = int(open_ones[0]) + length
            each = fullest // length  # the sequence just filled up has the least room again
            placed = min(left, int(room[fullest]) * each)
            whole, rest = divmod(placed, each)
            room[fullest] -= whole + bool(rest)
            room[fullest - each * length] += whole
            if rest:
                room[fullest - rest * length] += 1
            left -= placed
        if left:
            each = window // length
            new, rest = divmod(left, each)
            needed += new + bool(rest)
            room[window - each * length] += new
            if rest:
                room[window - rest * length] += 1
    return needed
