"""Find personal data and secrets: addresses, numbers, keys."""

from __future__ import annotations

from typing import Literal

import polars as pl

from curate import personal, presidio, schema
from curate.personal import Span
from curate.schema import Measured

RULES = {"patterns": ("patterns/pii",)}
SECRET = "secret"
_TABLE = {"id": pl.String, "column": pl.String, "kind": pl.String, "start": pl.UInt32, "end": pl.UInt32}


def pii(
    rows: pl.DataFrame, *, column: str = "rendered", engine: Literal["patterns", "presidio"] = "patterns"
) -> Measured:
    """Find personal data and secrets: addresses, numbers, keys.

    The kinds are email, phone, card (Luhn's check digit and a network's prefix), iban (ISO 7064 mod 97), ip (public
    addresses), ssn (as the United States give out) and secret (keys, tokens, passwords in connection strings). What is
    set apart for manuals and fiction is nobody's: example domains, 555-01xx, documentation addresses, placeholder keys.

    Args:
        rows: instruction rows.
        column: the text to search; prompt and response by default, since a row leaks by either.
        engine: "patterns" by default, which need no model and know every script; "presidio" finds names of people
            (person) and places (place) as well, takes milliseconds per text, and has no verdict on rows whose
            declared language is not English. Secrets are found by pattern with either.

    Signals:
        kinds (list[str]): kinds found, sorted, each once; null where the text is null.
        count (u32): finds; null where the text is null.
        secrets (list[str]): names of the secrets found, such as aws_key, jwt, private_key, connection_string; sorted,
            each once; null where the text is null.

    Tables:
        spans: id, column, kind, start, end of each find in code points; never what was found.
    """
    values = schema.column_text(rows, column)
    if engine == "presidio":
        values = values.set(~_english(rows), None)
        found = _with_presidio(values)
    else:
        found = personal.find_all(values)
    signals = pl.DataFrame(
        [_signals(spans, null) for spans, null in zip(found, values.is_null(), strict=True)],
        schema={"kinds": pl.List(pl.String), "count": pl.UInt32, "secrets": pl.List(pl.String)},
        orient="row",
    )
    ids = rows.get_column("id")
    places = [(row, column, *span[:3]) for row, spans in zip(ids, found, strict=True) for span in spans]
    return Measured(signals, {"spans": pl.DataFrame(places, schema=_TABLE, orient="row")})


def _signals(spans: list[Span], null: bool) -> tuple[list[str] | None, int | None, list[str] | None]:
    """Return the three signals of one text."""
    if null:
        return None, None, None
    if not spans:
        return [], 0, []
    names = {name.replace("-", "_") for kind, _, _, name in spans if kind == SECRET}
    return sorted({span[0] for span in spans}), len(spans), sorted(names)


def _english(rows: pl.DataFrame) -> pl.Series:
    """Tell which rows are, or may be, in English."""
    return rows.select(pl.col("lang").str.to_lowercase().str.contains(r"^en(?:$|[-_])").fill_null(True)).to_series()


def _with_presidio(values: pl.Series) -> list[list[Span]]:
    """Return what Presidio finds in each text, and the secrets that it does not look for."""
    finds = presidio.finder()
    secrets = personal.find_all(values)
    return [
        [] if value is None else [*finds(value), *(span for span in spans if span[0] == SECRET)]
        for value, spans in zip(values, secrets, strict=True)
    ]
