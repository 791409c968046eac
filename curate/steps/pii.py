"""Find personal data and secrets: addresses, numbers, keys."""

from __future__ import annotations

import polars as pl

from curate import personal, schema
from curate.schema import Measured

RULES = ("patterns/pii",)


def pii(rows: pl.DataFrame, *, column: str = "rendered") -> Measured:
    """Find personal data and secrets: addresses, numbers, keys.

    The kinds are email, phone, card (Luhn's check digit and a network's prefix), iban (ISO 7064 mod 97), ip (public
    addresses), ssn (as the United States give out) and secret (keys and tokens). What is set apart for manuals and
    fiction is nobody's: example domains, 555-01xx, documentation addresses, placeholder keys.

    Args:
        rows: instruction rows.
        column: the text to search; prompt and response by default, since a row leaks by either.

    Signals:
        kinds (list[str]): kinds found, sorted, each once; null where the text is null.
        count (u32): finds; null where the text is null.

    Tables:
        spans: id, column, kind, start, end of each find in code points; never what was found.
    """
    values = schema.column_text(rows, column)
    found = personal.find_all(values)
    nulls = values.is_null()
    kinds = [None if null else sorted({kind for kind, _, _ in spans}) for null, spans in zip(nulls, found, strict=True)]
    counts = [None if null else len(spans) for null, spans in zip(nulls, found, strict=True)]
    signals = pl.DataFrame({"kinds": kinds, "count": counts}, schema={"kinds": pl.List(pl.String), "count": pl.UInt32})
    places = [(row, column, *span) for row, spans in zip(rows.get_column("id"), found, strict=True) for span in spans]
    table = {"id": pl.String, "column": pl.String, "kind": pl.String, "start": pl.UInt32, "end": pl.UInt32}
    return Measured(signals, {"spans": pl.DataFrame(places, schema=table, orient="row")})
