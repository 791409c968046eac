"""How sure a counted share is."""

from __future__ import annotations

from math import sqrt

# Two-sided 95 % quantile of the normal distribution.
Z95 = 1.959963984540054


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share.

    It never leaves [0, 1] and covers as promised also for few trials and shares near 0 or 1, where the textbook
    interval is [1, 1] after three successes. Source: Wilson, "Probable inference, the law of succession, and
    statistical inference" (1927); recommended by Brown, Cai and DasGupta (2001) for n up to 40 and more.

    Args:
        successes: from 0 to n.
        n: trials; without any, all is possible: (0, 1).

    Returns:
        Lower and upper bound, rounded to six digits.
    """
    if not n:
        return 0.0, 1.0
    share, weight = successes / n, Z95**2 / n
    centre = share + weight / 2
    spread = Z95 * sqrt(share * (1 - share) / n + weight / (4 * n))
    low, high = (centre - spread) / (1 + weight), (centre + spread) / (1 + weight)
    return round(max(0.0, low), 6), round(min(1.0, high), 6)
