"""What speaks against a step's signals dropping rows, and how far they may all the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Doubt:
    """A reason for which rules on the signals of a step only flag.

    Args:
        text: the reason, as the user reads it.
        signal: the one signal, without the step's name, that may drop beyond a bound; empty when none may.
        below: rows under this value may be dropped, so a rule's `min` may be as high; None: no row for being low.
        above: rows over this value may be dropped, so a rule's `max` may be as low; None: no row for being high.
    """

    text: str
    signal: str = ""
    below: float | None = None
    above: float | None = None

    def spares(self, signal: str, *, least: float | None, most: float | None) -> bool:
        """Tell whether a rule drops only what it may.

        Args:
            signal: of the rule, without the step's name.
            least: its `min`, None without.
            most: its `max`, None without; a rule without both looks for single values and is not spared.
        """
        if signal != self.signal or (least is None and most is None):
            return False
        low = least is None or (self.below is not None and least <= self.below)
        return low and (most is None or (self.above is not None and most >= self.above))
