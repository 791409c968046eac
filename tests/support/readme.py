"""The generated part of the README: the table of steps. `make fix` writes it, a test compares it."""

from __future__ import annotations

import re
from pathlib import Path

from curate import catalog

README = Path(__file__).parent.parent.parent / "README.md"
TABLE = re.compile(r"(<!-- steps: written by make fix -->\n).*?(<!-- end of steps -->)", re.DOTALL)


def table() -> str:
    """Return the table of steps in Markdown."""
    lines = ["| step | kind | measures | signals |", "|---|---|---|---|"]
    for name in catalog.names():
        info = catalog.describe(name)
        signals = ", ".join(f"`{signal}`" for signal in info.signals)
        lines.append(f"| `{name}` | {info.kind} | {info.summary} | {signals} |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """Return the README with the table as it is now."""
    return TABLE.sub(lambda match: match[1] + table() + match[2], text)


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
